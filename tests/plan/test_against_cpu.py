"""The predicted peak against a real step's, as the CPU's allocator reports it: within 5 %."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from kolm_cli.families.catalog import by_name
from kolm_cli.families.resolve import resolve_base
from kolm_cli.families.tiny.catalog import write_tiny
from kolm_cli.plan.meta_model import empty_model
from kolm_cli.plan.step import CountedStep
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.base_model import load_base
from tests.plan.measured import measured_peak
from tests.support.cases import BUDGET, Case

FAMILIES = ("qwen2_5_vl", "llava_next", "idefics3", "qwen3_vl", "gemma3", "internvl")
QUICK = ("qwen2_5_vl", "llava_next", "idefics3")
LARGER = ("qwen2_5_vl", "llava_next")
ALLOWED = 0.05


def shapes(families: tuple[str, ...]) -> list[object]:
    """With and without checkpointing, one and four rows; most of it is marked slow."""
    return [
        pytest.param(
            name,
            checkpointing,
            rows,
            marks=() if name in QUICK and checkpointing and rows == 4 else pytest.mark.slow,
            id=f"{name}-{'checkpointed' if checkpointing else 'kept'}-{rows}",
        )
        for name in families
        for checkpointing in (False, True)
        for rows in (1, 4)
    ]


def assert_close(case: Case, *, checkpointing: bool, rows: int) -> None:
    config = TrainSection(
        bf16=False,
        gradient_checkpointing=checkpointing,
        gradient_accumulation_steps=2,
        lora_r=4,
        # On a CPU dropout is several kernels, which keep more than a GPU's.
        lora_dropout=0.0,
        max_seq_length=BUDGET,
    )
    batch = case.batch([case.row(*_turns(index)) for index in range(rows)])
    empty = empty_model(case.base.config, case.family, bf16=False)
    case.family.follow_processor(empty, case.processor)
    counts = CountedStep(empty, case.family, config, device="cpu").count(batch)
    del empty
    gc.collect()
    real = load_base(case.base, bf16=False)
    case.family.follow_processor(real, case.processor)
    measured = measured_peak(real, case.family, config, batch)
    assert counts.peak.bytes == pytest.approx(measured, rel=ALLOWED)
    assert sum(counts.peak.made_of.values()) == counts.peak.bytes


def _turns(index: int) -> tuple[tuple[str, str], ...]:
    """Rows of different lengths, so that some of a batch is padding."""
    return (("How long is A? " * (1 + 3 * index), "7 or 8 " * 8),)


@pytest.mark.parametrize(("name", "checkpointing", "rows"), shapes(FAMILIES))
def test_a_tiny_model(
    name: str, checkpointing: bool, rows: int, new_case: Callable[..., Case]
) -> None:
    assert_close(new_case(name), checkpointing=checkpointing, rows=rows)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "checkpointing", "rows"), shapes(LARGER))
def test_a_model_of_fifty_million_parameters(
    name: str, checkpointing: bool, rows: int, tmp_path: Path
) -> None:
    family = by_name(name)
    assert family is not None
    write_tiny(family, tmp_path, seed=0, width=512, layers=20)
    case = Case(tmp_path, resolve_base(str(tmp_path)))
    torch.set_num_threads(1)
    assert_close(case, checkpointing=checkpointing, rows=rows)
