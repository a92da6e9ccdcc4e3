"""An adapter on a tiny base of each family, as a source of exports: random, not trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kolm_cli.core.file_digests import FileMemo
from kolm_cli.core.progress import Silent
from kolm_cli.export.base import Source
from kolm_cli.trainer.vlm import VLMTrainer
from tests.support.cases import Case


@pytest.fixture
def new_source(tmp_path: Path) -> Callable[..., Source]:
    """Makes a source: everything that would train is another one, by the same steps."""

    def make(case: Case, *, dtype: str = "float32", **options: Any) -> Source:
        folder = tmp_path / f"unpacked-{case.folder.name}"
        trainer = case.trainer(case.variety()[:1], tmp_path / "unused", **options)
        shake(trainer)
        trainer.save(folder / "adapter")
        (folder / "adapter" / "modules.json").rename(folder / "modules.json")
        case.processor.save_pretrained(folder / "processor")
        with FileMemo() as memo:
            weights = case.base.weights(memo)
        cid = "bafkreitest"
        return Source(folder, cid, "shaken", case.base, weights, dtype, Silent())

    return make


def shake(trainer: VLMTrainer) -> None:
    """Move every trainable tensor, as training would, and far enough to be seen."""
    generator = torch.Generator().manual_seed(7)
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.data += 0.05 * noise.to(parameter.dtype)
