"""Counts of a training step of published models on the meta device: the same on every machine.

python benchmarks/step_counts.py               the two cases of `make bench`
python benchmarks/step_counts.py --published   the cases of docs/explanation/published-figures.md
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from kolm_cli.encoding.encoder import Limits
from kolm_cli.families.catalog import by_config
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.plan.cards import CARDS
from kolm_cli.plan.fit import step_seconds
from kolm_cli.plan.planned import Planned
from kolm_cli.plan.published_models import published_models
from kolm_cli.plan.stand_in import BYTES_A_TOKEN, StandInEncoder, image_id, stand_in_processor
from kolm_cli.records.row import Row
from kolm_cli.spec.model import TrainSection

GB = 1e9
SUPERVISED = 64


@dataclass(frozen=True)
class Case:
    """A step to count: one row a micro-batch, filled up with text to `tokens`."""

    title: str
    model: str
    picture: tuple[int, int] | None = (1120, 896)
    tokens: int = 2048
    train: dict[str, Any] = field(default_factory=dict)


QWEN, LLAVA = "Qwen/Qwen2.5-VL-{}-Instruct", "llava-hf/llava-v1.6-mistral-7b-hf"
BENCH = (
    Case("3B, 256 image tokens", QWEN.format("3B"), (448, 448), 320),
    Case("7B, 2,048 tokens", QWEN.format("7B")),
)
PUBLISHED = (
    Case("3B, 2,048 tokens", QWEN.format("3B")),
    Case("7B, 2,048 tokens", QWEN.format("7B")),
    Case("LLaVA-1.6-7B, 2,048 tokens", LLAVA, (672, 336)),
    Case("72B, 2,048 tokens", QWEN.format("72B")),
    Case(
        "7B, r = 8, a picture of 1,003,520 pixels and 128 tokens of text, 1 x 16",
        QWEN.format("7B"),
        tokens=1280 + 128,
        train={"lora_r": 8, "gradient_accumulation_steps": 16, "projector": "freeze"},
    ),
)


def planned(case: Case) -> Planned:
    """The model of a case, from published numbers."""
    known = published_models()[case.model]
    family = by_config(known.config)
    assert family is not None
    family.register()
    processor = stand_in_processor(family, known)
    encoder = StandInEncoder(family, processor, Limits(), "all", image_id(known.config))
    return Planned(known.config, family, encoder)


def row_of(case: Case, model: Planned) -> Row:
    """A row of exactly the tokens that the case has."""
    text = 0
    answer = "x" * ((SUPERVISED - 1) * BYTES_A_TOKEN)
    for _ in range(3):
        row: dict[str, Any] = {"prompt": "y" * max(1, text), "response": answer}
        if case.picture:
            row["image"] = Image.new("RGB", case.picture)
        made = rows_from_python([row])[0]
        missing = case.tokens - model.encoder.training(made).tokens
        if not missing:
            break
        text += missing * BYTES_A_TOKEN
    return made


def show(case: Case) -> None:
    """Print what a case's step takes."""
    model = planned(case)
    row = row_of(case, model)
    tokens = model.encoder.training(row)
    print(f"{case.title}: {tokens.tokens} tokens, {tokens.image_tokens} of the picture")
    for on in (False, True):
        train = TrainSection(**{"gradient_checkpointing": on, **case.train})
        counts = model.step(train, [row])
        work = counts.micro_batch.total
        print(
            f"  {'checkpointed' if on else 'kept':<13} peak {counts.peak.bytes / GB:7.2f} GB,"
            f" micro-batch: {work.kernels:6,} kernels, {work.read / GB:5.0f} GB read,"
            f" {work.written / GB:5.0f} GB written, {work.flops / 1e12:6.1f} TFLOP,"
            f" {work.waits:4} waits; {step_seconds(counts, CARDS['a100-80gb'], bf16=True):5.1f} s a"
            f" step of {counts.micro_batches} on an A100-80GB by its sheet"
        )
        parts = sorted(counts.peak.made_of.items(), key=lambda item: -item[1])
        print("    " + ", ".join(f"{name} {size / GB:.2f}" for name, size in parts if size > 5e7))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("--published", action="store_true")
    for chosen in PUBLISHED if parser.parse_args().published else BENCH:
        show(chosen)
