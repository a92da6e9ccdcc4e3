"""A training is, step for step, what a plain loop of torch and peft does with the same modules."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from kolm_cli.records.curves import read_curves
from tests.support.cases import Case

RATES = {"language": 2e-3, "projector": 3e-3}
STEPS, WARMUP = 6, 1


def plain_losses(case: Case, start: dict[str, torch.Tensor]) -> list[float]:
    """The loss of each step over all rows at once."""
    model = get_peft_model(
        case.fresh(),
        LoraConfig(r=4, lora_alpha=32, target_modules=r".*language_model\.layers.*_proj"),
    )
    named = dict(model.named_parameters())
    for name, parameter in named.items():
        parameter.requires_grad_(name in start)
    model.load_state_dict(start, strict=False)
    parts = {part: [n for n in start if ("lora_" in n) == (part == "language")] for part in RATES}
    optimizer = torch.optim.AdamW(
        [{"params": [named[n] for n in parts[part]], "lr": RATES[part]} for part in RATES],
        weight_decay=0.0,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: 1 / (WARMUP + 1) if step < WARMUP else (STEPS - step) / (STEPS - WARMUP),
    )
    batch = case.batch(case.variety())
    batch.pop("logits_to_keep")
    losses = []
    for _ in range(STEPS):
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_([named[n] for n in start], 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def test_the_same_loss_at_every_step(new_case: Callable[..., Case], tmp_path: Path) -> None:
    case = new_case("qwen2_5_vl")
    trainer = case.trainer(
        case.variety(),
        tmp_path / "run",
        per_device_train_batch_size=math.ceil(len(case.variety()) / 2),
        gradient_accumulation_steps=2,
        num_train_epochs=STEPS,
        learning_rate=RATES["language"],
        projector_learning_rate=RATES["projector"],
    )
    trainer._curves = tmp_path / "curves.jsonl"
    start = {n: p.detach().clone() for n, p in trainer.model.named_parameters() if p.requires_grad}
    trainer.train()
    found = [line["loss"] for line in read_curves(tmp_path / "curves.jsonl")]
    assert found == pytest.approx(plain_losses(case, start), rel=1e-4)
    assert found[-1] < found[0]
