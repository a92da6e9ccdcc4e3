"""kolm's trainer in this process, with what `kolm init` proposes for a base of this size.

`kolm compile` trains with the same trainer and answers with the same answerer; in one process
nothing is spent on starting others.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

from kolm_cli.answering.answerer import Answerer
from kolm_cli.core.progress import Silent
from kolm_cli.dataset.proposal import schedule
from kolm_cli.demo import BASE
from kolm_cli.encoding.encoder import Encoder, Limits
from kolm_cli.families.resolve import resolve_base
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.records.row import Row
from kolm_cli.spec.train import TrainSection
from kolm_cli.trainer.adapter_trainer import Start, StoppedEarly, VLMTrainer
from kolm_cli.trainer.base_model import load_base

NEW_TOKENS = 8


def proposed(rows: int, *, epochs: int, seed: int) -> TrainSection:
    """The section `train` of `kolm init`'s proposal, with the epochs of this benchmark."""
    plan = schedule(rows, small_base=True)
    return TrainSection(
        learning_rate=float(plan.learning_rate),
        projector_learning_rate=float(plan.projector_learning_rate),
        per_device_train_batch_size=plan.batch,
        gradient_accumulation_steps=plan.accumulation,
        num_train_epochs=epochs,
        bf16=False,
        seed=seed,
        # The tower is frozen: its output is kept, and every figure stays as it is.
        cache_vision=True,
    )


def read_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of `folder/data.jsonl`, with the full paths of their pictures."""
    lines = (folder / "data.jsonl").read_text().splitlines()
    rows: list[dict[str, str]] = [json.loads(line) for line in lines]
    return [{**row, "image": str(folder / row["image"])} for row in rows]


def majority(rows: list[dict[str, str]]) -> float:
    """The share of the most frequent answer: what can be scored without looking."""
    return Counter(row["response"] for row in rows).most_common(1)[0][1] / len(rows)


class Pack:
    """The rows that are asked, and how many of them a model answers exactly."""

    def __init__(self, folder: Path) -> None:
        self._wanted = read_rows(folder)
        self._rows = rows_from_python(self._wanted, None)
        self._prompts = [_ENCODER.prompt(row) for row in self._rows]

    def accuracy(self, model: torch.nn.Module) -> float:
        """The share of exact answers; the model trains on afterwards if it trained before."""
        training = model.training
        answerer = Answerer(model, _ENCODER, device="cpu", bf16=False, max_new_tokens=NEW_TOKENS)
        said = [
            answer.text
            for first in range(0, len(self._prompts), 16)
            for answer in answerer.answer(self._prompts[first : first + 16])
        ]
        model.train(training)
        return sum(
            text == row["response"] for text, row in zip(said, self._wanted, strict=True)
        ) / len(said)


def base_model() -> torch.nn.Module:
    """A fresh base."""
    return load_base(_BASE, bf16=False, attention="auto")


def train(
    rows: list[Row],
    config: TrainSection,
    *,
    start: Path | None = None,
    after_step: Callable[[VLMTrainer], bool] = lambda trainer: False,
) -> VLMTrainer:
    """Train on rows; `after_step` sees the trainer after each step, and says whether to stop."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = VLMTrainer(
            _BASE,
            rows,
            config,
            model=base_model(),
            encoder=_ENCODER,
            device="cpu",
            folder=Path(folder),
            progress=Silent(),
            should_stop=lambda: after_step(trainer),
            start=Start("an earlier training", start) if start else None,
        )
        with contextlib.suppress(StoppedEarly):
            trainer.train()
    return trainer


_BASE = resolve_base(str(BASE), "main")
_ENCODER = Encoder.for_base(_BASE, Limits(256, 1), None)
