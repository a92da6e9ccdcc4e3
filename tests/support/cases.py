"""A tiny base of one family at work, and rows of every shape that it takes."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from kolm_cli.core.progress import Silent
from kolm_cli.encoding.encoded import IGNORE, Encoded
from kolm_cli.encoding.encoder import Encoder, Limits
from kolm_cli.families.base import Family
from kolm_cli.families.resolve import Base
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.records.row import Row
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.base_model import load_base
from kolm_cli.trainer.vlm import VLMTrainer

BUDGET = 4096


class Notes(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Case:
    """A tiny base of one family."""

    folder: Path
    base: Base
    trained: dict[str, Any] = field(default_factory=dict)

    @property
    def family(self) -> Family:
        return self.base.family

    @cached_property
    def processor(self) -> Any:
        return self.family.load_processor(self.base.source, **self.base.load_options())

    def encoder(self, budget: int | None = BUDGET, **limits: Any) -> Encoder:
        return Encoder(self.family, self.processor, Limits(budget, 4, **limits))

    @cached_property
    def _loaded(self) -> nn.Module:
        return load_base(self.base, bf16=False)

    def fresh(self) -> nn.Module:
        """The base, as loaded."""
        return copy.deepcopy(self._loaded)

    def encode(self, row: Row) -> Encoded:
        return self.encoder(None).training(row)

    def batch(self, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        return self.encoder().training_batch([self.encode(row) for row in rows])

    def decode(self, ids: Sequence[int] | torch.Tensor) -> str:
        tokenizer = self.family.tokenizer(self.processor)
        text: str = tokenizer.decode(ids, skip_special_tokens=False)
        return text

    def trainer(
        self, rows: Sequence[Row], folder: Path, *, progress: Notes | None = None, **options: Any
    ) -> VLMTrainer:
        """A trainer that differs from the defaults only in what makes a test quick."""
        quick = {"bf16": False, "gradient_accumulation_steps": 1, "lora_r": 4, "lora_dropout": 0.0}
        config = TrainSection(**{**quick, "max_seq_length": BUDGET, **options})
        return VLMTrainer(
            self.base,
            list(rows),
            config,
            model=self.fresh(),
            encoder=self.encoder(config.max_seq_length),
            device="cpu",
            folder=folder,
            progress=progress,
        )

    # -- rows ----------------------------------------------------------------------------------

    def row(
        self,
        *turns: tuple[str, str],
        images: Sequence[tuple[int, int]] | None = None,
        system: str = "",
        name: str = "row",
    ) -> Row:
        """A row of the given turns; one image where the family takes any, unless told."""
        if images is None:
            images = [(48, 40)] if self.family.takes.images else []
        pictures = [picture(width, height, seed) for seed, (width, height) in enumerate(images)]
        messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
        for index, (question, answer) in enumerate(turns):
            asked = [{"type": "image", "image": p} for p in pictures] if index == 0 else []
            messages.append(
                {"role": "user", "content": [*asked, {"type": "text", "text": question}]}
            )
            messages.append({"role": "assistant", "content": answer})
        return rows_from_python([{"id": name, "messages": messages}])[0]

    def variety(self) -> list[Row]:
        """Rows of every shape that the family takes, short ones and long ones."""
        takes = self.family.takes
        rows = [
            self.row(("What is it?", "A"), name="short"),
            self.row(("Describe it at some length, please.", "A long answer."), name="long"),
        ]
        if takes.images:
            rows.append(self.row(("Wide?", "Yes, wide."), images=[(120, 30)], name="wide"))
            rows.append(self.row(("Tall?", "Tall."), images=[(30, 90)], name="tall"))
        if takes.several_images:
            rows.append(self.row(("Both?", "Two"), images=[(40, 40), (90, 32)], name="two"))
            rows.append(
                self.row(("All?", "Three"), images=[(32, 32), (64, 32), (36, 70)], name="three")
            )
        if takes.text_only and takes.images:
            rows.append(self.row(("No image here.", "None"), images=[], name="text"))
        if takes.several_turns:
            rows.append(self.row(("One?", "1"), ("Two?", "22"), name="turns"))
        if takes.system:
            rows.append(self.row(("Who?", "Me."), system="Be brief.", name="system"))
        return rows


def picture(width: int, height: int, seed: int) -> Image.Image:
    """Noise, so that no two patches look the same."""
    noise = random.Random(f"{width}x{height}/{seed}")  # noqa: S311  # noise, no secret
    return Image.frombytes("RGB", (width, height), noise.randbytes(width * height * 3))


def runs(labels: torch.Tensor) -> Iterator[torch.Tensor]:
    """Each stretch of supervised tokens."""
    start = None
    for position, wanted in enumerate([*(labels != IGNORE).tolist(), False]):
        if wanted and start is None:
            start = position
        elif not wanted and start is not None:
            yield labels[start:position]
            start = None


@torch.no_grad()
def row_losses(case: Case, model: nn.Module, rows: Sequence[Row]) -> list[float]:
    """The mean loss of each row of one batch."""
    batch = case.batch(rows)
    labels = batch.pop("labels")
    logits = model(**batch).logits.reshape(-1, model.config.get_text_config().vocab_size)
    targets = labels[:, 1:]
    each = functional.cross_entropy(logits.float(), targets[targets != IGNORE], reduction="none")
    counts = (targets != IGNORE).sum(1).tolist()
    return [part.mean().item() for part in each.split(counts)]


@torch.no_grad()
def logits_of(case: Case, model: nn.Module, rows: Sequence[Row]) -> torch.Tensor:
    batch = case.batch(rows)
    batch.pop("labels")
    batch.pop("logits_to_keep")
    result: torch.Tensor = model.eval()(**batch).logits
    return result
