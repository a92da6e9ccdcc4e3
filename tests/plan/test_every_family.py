"""The step of every family on the meta device, in bf16, checkpointed and not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kolm_cli.plan.counts import StepCounts
from kolm_cli.plan.meta_model import empty_model
from kolm_cli.plan.step import CountedStep
from kolm_cli.spec.model import TrainSection
from tests.support.cases import BUDGET, Case


def counted(case: Case, rows: int = 1, **options: object) -> tuple[StepCounts, CountedStep]:
    config = TrainSection(
        **{"lora_r": 4, "gradient_accumulation_steps": 2, "max_seq_length": BUDGET, **options}
    )
    model = empty_model(case.base.config, case.family, bf16=config.bf16)
    case.family.follow_processor(model, case.processor)
    step = CountedStep(model, case.family, config)
    batch = case.batch([case.row(("How long is A?" * (i + 1), "7 or 8")) for i in range(rows)])
    return step.count(batch), step


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_nothing_mixes_devices(case: Case, checkpointing: bool) -> None:
    """The engine refuses an operation on tensors of the host and of the device."""
    counts, step = counted(case, rows=2, gradient_checkpointing=checkpointing)
    made_of = counts.peak.made_of
    assert sum(made_of.values()) == counts.peak.bytes
    assert made_of["adapters"] == sum(
        p.nbytes for n, p in step.prepared.model.named_parameters() if ".lora_" in n
    )
    # The first of two micro-batches has no gradients to add to.
    micro_batch, optimizer = counts.micro_batch.total.kernels, counts.optimizer.total.kernels
    adding = counts.micro_batch.parts["accumulate"].kernels
    assert counts.step.total.kernels == 2 * micro_batch - adding + optimizer
    assert counts.optimizer.total.waits == 0
    assert all(parameter.grad is None for parameter in step.prepared.model.parameters())


def test_a_frozen_tower_has_no_backward_pass(new_case: Callable[..., Case]) -> None:
    case = new_case("llava_next")
    frozen, _ = counted(case)
    trained, _ = counted(case, freeze_vision=False)
    flops = [c.micro_batch.parts["vision"].flops for c in (frozen, trained)]
    # A product forward, and two backward; the first layer passes no gradient on.
    assert 2 * flops[0] < flops[1] <= 3 * flops[0]
    assert trained.peak.made_of["base.vision"] > frozen.peak.made_of["base.vision"]


def test_adapters_take_their_inputs_as_they_are(new_case: Callable[..., Case]) -> None:
    """PEFT would write each activation twice more: widened to fp32, and narrowed again."""
    _, step = counted(new_case("llava_next"), lora_dropout=0.0)
    written = step.follower.work.of("language").written
    for module in step.prepared.model.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            assert not module.cast_input_dtype_enabled
            module.cast_input_dtype_enabled = True
    case = new_case("llava_next")
    step.follower.work.parts.clear()
    step.count(case.batch([case.row(("How long is A?", "7 or 8"))]))
    assert step.follower.work.of("language").written > 1.2 * written
