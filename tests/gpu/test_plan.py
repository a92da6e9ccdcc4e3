"""Plan and reality on a GPU. None of this has been run by kolm's developers."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kolm_cli.families.catalog import by_name
from kolm_cli.families.resolve import resolve_base
from kolm_cli.families.tiny.catalog import write_tiny
from kolm_cli.plan.card_here import card_here
from kolm_cli.plan.cards import ASSUMED, Assumed, as_line
from kolm_cli.plan.fit import step_seconds
from kolm_cli.plan.meta_model import empty_model
from kolm_cli.plan.real_step import RealStep
from kolm_cli.plan.step import CountedStep
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.base_model import load_base
from tests.support.cases import BUDGET, Case

pytestmark = pytest.mark.gpu

# The allocator rounds blocks up, and libraries take workspaces.
ALLOWED = 0.10
STEPS = 5
# What each case showed.
FOUND: list[Assumed] = []


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", ["qwen2_5_vl", "llava_next"])
def test_the_peak_is_as_planned(
    name: str, checkpointing: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model of some hundred million parameters; prints what `kolm plan` could be told."""
    assert torch.cuda.is_available(), "make test-gpu needs a CUDA device"
    family = by_name(name)
    assert family is not None
    write_tiny(family, tmp_path, seed=0, width=2048, layers=12)
    case = Case(tmp_path, resolve_base(str(tmp_path)))
    config = TrainSection(
        bf16=True,
        gradient_checkpointing=checkpointing,
        gradient_accumulation_steps=2,
        max_seq_length=BUDGET,
    )
    rows = [case.row(("How long is A? " * 100, "7 or 8 " * 8)) for _ in range(4)]
    batch = case.batch(rows)
    empty = empty_model(case.base.config, family, bf16=True)
    family.follow_processor(empty, case.processor)
    counts = CountedStep(empty, family, config).count(batch)

    model = load_base(case.base, bf16=True)
    family.follow_processor(model, case.processor)
    real = RealStep(model.to("cuda"), family, config, device="cuda")
    real.seconds(batch)
    torch.cuda.reset_peak_memory_stats()
    seconds = statistics.median(real.seconds(batch) for _ in range(STEPS))
    measured = torch.cuda.max_memory_allocated()
    reserved = torch.cuda.max_memory_reserved()
    free, total = torch.cuda.mem_get_info()
    context = total - free - torch.cuda.memory_reserved()
    card = card_here()
    planned = step_seconds(counts, card, bf16=True) if card.source else float("nan")
    kind = "checkpointed" if checkpointing else "kept"
    FOUND.append(
        replace(
            ASSUMED,
            times=card.given.times * seconds / planned if card.source else 1.0,
            context=context,
            slack=reserved / measured - 1,
            sources=(f"{name} {kind}",),
        )
    )
    with capsys.disabled():
        print(
            f"\n{card.title}, {name}, {kind}:"
            f" planned {counts.peak.bytes:,} bytes, allocated {measured:,}, reserved {reserved:,};"
            f" planned {planned:.3f} s a step, measured {seconds:.3f}"
        )
    assert counts.peak.bytes == pytest.approx(measured, rel=ALLOWED)


def test_what_can_be_contributed(capsys: pytest.CaptureFixture[str]) -> None:
    """Of all cases: the middle of the times, and the most memory."""
    assert FOUND, "run the tests before this one, too"
    card = card_here()
    given = replace(
        ASSUMED,
        times=round(statistics.median(each.times for each in FOUND), 3),
        context=max(each.context for each in FOUND),
        slack=round(max(each.slack for each in FOUND), 4),
        sources=(
            f"{card.title}, torch {torch.__version__} with CUDA {torch.version.cuda}; 12 layers of"
            f" 2,048: {', '.join(each.sources[0] for each in FOUND)}",
        ),
    )
    with capsys.disabled():
        print("\nto contribute, a line of MEASURED in kolm_cli/plan/cards.py:")
        print(as_line(card.name, given))
