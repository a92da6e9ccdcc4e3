"""A case that was trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from kolm_cli.trainer.adapter_files import load_adapter
from kolm_cli.trainer.partition import parameters_of
from kolm_cli.trainer.vlm import VLMTrainer
from tests.support.cases import Case, logits_of


@dataclass
class Trained:
    case: Case
    trainer: VLMTrainer
    folder: Path
    before: dict[str, torch.Tensor]

    def moved(self, part: str) -> dict[str, bool]:
        """For each of the base's own parameters of a part whether training changed its bytes."""
        partition = self.trainer.partition
        named = parameters_of(self.trainer.model, partition, part)  # type: ignore[arg-type]
        return {
            name: not torch.equal(parameter, self.before[name])
            for name, parameter in named
            if name in self.before
        }


def assert_same_logits(trained: Trained) -> None:
    """What comes back from disk gives the logits that were trained."""
    case, rows = trained.case, trained.case.variety()[:4]
    expected = logits_of(case, trained.trainer.model, rows)
    reloaded = load_adapter(case.fresh(), case.family, trained.folder)
    assert torch.equal(logits_of(case, reloaded, rows), expected)
    assert not torch.equal(logits_of(case, case.fresh(), rows), expected), "training did nothing"
