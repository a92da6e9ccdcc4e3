"""Plan and reality on a GPU. None of this has been run by kolm's developers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from kolm_cli.families.catalog import by_name
from kolm_cli.families.resolve import resolve_base
from kolm_cli.families.tiny.catalog import write_tiny
from kolm_cli.plan.card_here import card_here
from kolm_cli.plan.cards import ASSUMED
from kolm_cli.plan.fit import step_seconds
from kolm_cli.plan.meta_model import empty_model
from kolm_cli.plan.step import CountedStep
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.base_model import load_base
from kolm_cli.trainer.loop import KolmTrainer, training_arguments
from kolm_cli.trainer.loss import make_loss
from kolm_cli.trainer.prepare import prepare
from tests.support.cases import BUDGET, Case

pytestmark = pytest.mark.gpu

# The allocator rounds blocks up, and libraries take workspaces.
ALLOWED = 0.10
STEPS = 5


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
    prepared = prepare(model.to("cuda"), family, config, device="cuda")
    wrapped = prepared.model
    full = [p for n, p in wrapped.named_parameters() if p.requires_grad and ".lora_" not in n]
    trainer = KolmTrainer(
        family=family,
        partition=prepared.partition,
        config=config,
        model=wrapped,
        args=training_arguments(config, tmp_path, cpu=False, workers=0),
        compute_loss_func=make_loss(full),
    )
    trainer.model_wrapped = trainer.accelerator.prepare_model(wrapped)
    optimizer = trainer.create_optimizer()
    micro_batches = config.gradient_accumulation_steps
    items = (batch["labels"] != -100).sum().cuda() * micro_batches

    def step() -> None:
        moved = [{k: v.cuda() for k, v in batch.items()} for _ in range(micro_batches)]
        for each in moved:
            trainer.training_step(trainer.model_wrapped, each, items)
        trainer.accelerator.clip_grad_norm_(wrapped.parameters(), config.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()

    step()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    for _ in range(STEPS):
        step()
    torch.cuda.synchronize()
    seconds = (time.perf_counter() - began) / STEPS
    measured = torch.cuda.max_memory_allocated()
    reserved = torch.cuda.max_memory_reserved()
    free, total = torch.cuda.mem_get_info()
    context = total - free - torch.cuda.memory_reserved()
    card = card_here()
    planned = step_seconds(counts, card, bf16=True) if card.source else float("nan")
    with capsys.disabled():
        print(
            f"\n{card.title}, {name}, {'checkpointed' if checkpointing else 'kept'}:"
            f" planned {counts.peak.bytes:,} bytes, allocated {measured:,}, reserved {reserved:,}"
            f" (slack {reserved / measured - 1:.1%}, assumed {ASSUMED.slack:.0%}),"
            f" context {context:,} (assumed {ASSUMED.context:,});"
            f" planned {planned:.3f} s a step, measured {seconds:.3f}"
        )
    assert counts.peak.bytes == pytest.approx(measured, rel=ALLOWED)
