"""A training step of kolm's beside TRL's: the same model, row, adapters and options, both counted.

TRL's own collator and trainer run on the meta device, as kolm's do (`trainers/sft_step.py`). What
makes a difference is found by taking it out of TRL's step, one after the other.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec

from step_counts import GB, LLAVA, QWEN, Case, planned, row_of

from kolm_cli.plan.counts import StepCounts
from kolm_cli.plan.step import CountedStep
from kolm_cli.spec.model import TrainSection

CASES = (
    Case("Qwen2.5-VL-3B, a picture of 448 x 448", QWEN.format("3B"), (448, 448), 512),
    Case("LLaVA-1.6-7B, a picture of 672 x 336", LLAVA, (672, 336), 2048),
)
# TRL trains no projector.
OPTIONS = {"projector": "freeze", "gradient_accumulation_steps": 8}


def counted(case: Case, *, checkpointed: bool) -> Iterator[tuple[str, StepCounts]]:
    """Kolm's step, TRL's, and TRL's without what makes it different."""
    from trainers.sft_step import SftStep

    plan, train = planned(case), TrainSection(**OPTIONS, gradient_checkpointing=checkpointed)
    row = plan.encoder.training(row_of(case, plan))
    ours = CountedStep(plan.model(train, plan.encoder), plan.family, train)
    yield "kolm", ours.count(plan.encoder.training_batch([row]))
    steps = {"TRL": {}, "TRL, adapters' inputs not widened to fp32": {"widened": False}}
    if checkpointed:
        steps["TRL, nor inputs made to take gradients"] = {"widened": False, "towers_graph": False}
    for name, without in steps.items():
        theirs = SftStep(plan, train, **without)
        assert case.picture is not None
        yield name, theirs.count(theirs.batch(case.picture, row.tokens, row.supervised))


def show(case: Case) -> None:
    """Print both, layers kept and checkpointed."""
    print(f"{case.title}, {case.tokens} tokens")
    for checkpointed in (False, True):
        print(f"  {'layers checkpointed' if checkpointed else 'activations kept'}")
        for name, counts in counted(case, checkpointed=checkpointed):
            work = counts.micro_batch.total
            print(
                f"    {name:<42} peak {counts.peak.bytes / GB:6.2f} GB, {work.kernels:6,} kernels,"
                f" {work.read / GB:5.0f} GB read, {work.written / GB:4.0f} GB written,"
                f" {work.flops / 1e12:6.2f} TFLOP, {work.waits:3} waits"
            )


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    if find_spec("trl") is None:
        print("trl is not installed: nothing is counted beside kolm (pip install trl)")
        sys.exit()
    print(", ".join(f"{name} {version(name)}" for name in ("trl", "transformers", "peft", "torch")))
    for chosen in CASES:
        show(chosen)
