"""Freezing: no graph behind the tower, no gradient for what is never used, lists that are true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from kolm_cli.core.globs import matches_any
from kolm_cli.trainer.freeze import GraphWatch, isolate_vision
from kolm_cli.trainer.loss import supervised_loss
from kolm_cli.trainer.partition import Partition, base_name, parameters_of, top_modules
from tests.support.cases import Case


def test_vision_output_needs_no_gradient_even_when_its_weights_do(pictured: Case) -> None:
    """`no_grad` around the tower, not only frozen weights."""
    model = pictured.fresh().train()
    isolate_vision(model, pictured.family)
    outputs: list[torch.Tensor] = []

    def keep(module: Any, args: Any, output: Any) -> None:
        outputs.extend(v for v in _tensors(output))

    for _, module in top_modules(model, pictured.family, "vision"):
        module.register_forward_hook(keep)
    batch = pictured.batch(pictured.variety())
    batch.pop("labels")
    assert model(**batch).logits.requires_grad
    assert outputs
    assert not any(output.requires_grad for output in outputs)


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else value
    return [v for v in values if isinstance(v, torch.Tensor)] if values is not None else []


def test_the_watch_sees_a_tower_that_keeps_its_graph(pictured: Case) -> None:
    model = pictured.fresh()
    watch = GraphWatch(model, pictured.family)
    batch = pictured.batch([pictured.row(("What?", "This"))])
    batch.pop("labels")
    model(**batch)
    assert watch.calls > 0
    assert watch.with_history > 0


def test_what_is_never_used_sees_no_gradient_but_rounding(pictured: Case) -> None:
    """A declaration that left out a tensor that matters would silently not train it."""
    model = pictured.fresh()
    batch = pictured.batch(pictured.variety())
    labels = batch.pop("labels")
    supervised_loss(model(**batch), labels).backward()
    partition = Partition.of(pictured.family, model)
    patterns = pictured.family.never_used(model)
    sizes = {True: [0.0], False: [0.0]}
    for name, parameter in parameters_of(model, partition, "vision"):
        size = 0.0 if parameter.grad is None else parameter.grad.abs().max().item()
        sizes[matches_any(name, patterns)].append(size)
    assert max(sizes[True]) < 1e-5 * max(sizes[False])


def test_what_trains_is_read_from_the_wrapped_model(case: Case, tmp_path: Path) -> None:
    """`modules.json` and the receipt agree with the model, adapter by adapter."""
    trainer = case.trainer(case.variety(), tmp_path)
    lists = trainer.modules()
    trains = {base_name(n) for n, p in trainer.model.named_parameters() if p.requires_grad}
    assert {entry["name"] for entry in lists["trainable"]} == trains
    everything = {base_name(n) for n, _ in trainer.model.named_parameters()}
    assert {entry["name"] for entry in lists["frozen"]} == everything - trains
    assert {e["part"] for e in lists["trainable"] if e["kind"] == "lora"} == {"language"}
