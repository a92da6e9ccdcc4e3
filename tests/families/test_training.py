"""Properties 3, 4 and 9: what is frozen, what is trained, and what comes back from disk."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from kolm_cli.core.errors import VerificationError
from kolm_cli.core.globs import matches_any
from kolm_cli.trainer.adapter_files import load_adapter
from kolm_cli.trainer.evidence import EvidenceError
from kolm_cli.trainer.freeze import GraphWatch, isolate_vision
from kolm_cli.trainer.loss import supervised_loss
from kolm_cli.trainer.partition import Partition, base_name, parameters_of, top_modules
from kolm_cli.trainer.schedule import make_scheduler, parameter_groups
from kolm_cli.trainer.vlm import VLMTrainer
from tests.families.helpers import Case, Notes, logits_of


@dataclass
class Trained:
    case: Case
    trainer: VLMTrainer
    folder: Path
    before: dict[str, torch.Tensor]

    def moved(self, part: str) -> dict[str, bool]:
        """For each of the base's own parameters of a part whether training changed its bytes."""
        partition = self.trainer.partition
        named = parameters_of(self.trainer.model, partition, part)  # type: ignore[arg-type]
        return {
            name: not torch.equal(parameter, self.before[name])
            for name, parameter in named
            if name in self.before
        }


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trained]:
    """Trains a case once for each set of options."""
    done: dict[Any, Trained] = {}

    def run(case: Case, **options: Any) -> Trained:
        key = (id(case), tuple(sorted(options.items())))
        if key not in done:
            folder = tmp_path_factory.mktemp("trained")
            rows = case.variety()
            options.setdefault("per_device_train_batch_size", math.ceil(len(rows) / 2))
            trainer = case.trainer(rows, folder / "run", **options)
            before = {n: p.detach().clone() for n, p in case.fresh().named_parameters()}
            trainer.train()
            trainer.save(folder / "adapter")
            done[key] = Trained(case, trainer, folder / "adapter", before)
        return done[key]

    return run


def test_frozen_parts_keep_every_byte_and_no_gradient(
    case: Case, train: Callable[..., Trained]
) -> None:
    trained = train(case, gradient_checkpointing=True)
    for part in ("vision", "language", "head", "other"):
        assert not any(trained.moved(part).values()), part
    for name, parameter in trained.trainer.model.named_parameters():
        assert parameter.requires_grad or parameter.grad is None, name


def test_vision_leaves_no_graph_under_activation_checkpointing(
    pictured: Case, train: Callable[..., Trained]
) -> None:
    evidence = train(pictured, gradient_checkpointing=True).trainer.receipt()["evidence"]
    assert evidence["projector_calls_observed"] > 0
    assert evidence["projector_inputs_with_gradient_history"] == 0
    assert evidence["adapters_per_part"]["vision"] == 0


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


def test_an_unfrozen_tower_trains_at_its_own_rate_with_a_warning(
    pictured: Case, train: Callable[..., Trained], tmp_path: Path
) -> None:
    trained = train(pictured, freeze_vision=False, vision_learning_rate=3e-4)
    moved = trained.moved("vision")
    assert any(moved.values())
    groups = parameter_groups(
        trained.trainer.model, trained.trainer.partition, trained.trainer.config
    )
    assert {group["lr"] for group in groups if group["part"] == "vision"} == {3e-4}
    idle = {name for name, changed in moved.items() if not changed}
    patterns = pictured.family.never_used(trained.trainer.model)
    assert idle == {name for name in moved if matches_any(name, patterns)}
    assert set(load_file(trained.folder / "vision.safetensors")) == set(moved) - idle
    notes = Notes()
    pictured.trainer(pictured.variety(), tmp_path, progress=notes, freeze_vision=False)
    assert any("memory" in note for note in notes.notes)


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


def test_an_unfrozen_tower_comes_back_bitwise(
    pictured: Case, train: Callable[..., Trained]
) -> None:
    trained = train(pictured, freeze_vision=False, vision_learning_rate=3e-4)
    _same_logits(trained)


@pytest.mark.parametrize("projector", ["train", "freeze", "freeze_after_warmup"])
def test_the_projector_does_as_it_is_told(
    pictured: Case, train: Callable[..., Trained], projector: str
) -> None:
    options = {} if projector == "freeze" else {"projector_learning_rate": 7e-5}
    if projector == "freeze_after_warmup":
        options["warmup_ratio"] = 0.5
    trained = train(pictured, projector=projector, **options, per_device_train_batch_size=1)
    moved, model = trained.moved("projector"), trained.trainer.model
    groups = parameter_groups(model, trained.trainer.partition, trained.trainer.config)
    rates = {group["lr"] for group in groups if group["part"] == "projector"}
    if projector == "freeze":
        assert not any(moved.values())
        assert rates == set()
        assert not (trained.folder / "projector.safetensors").exists()
    else:
        assert all(moved.values())
        assert rates == {7e-5}
        stored = load_file(trained.folder / "projector.safetensors")
        assert set(stored) == set(moved)
    _same_logits(trained)


def test_after_warm_up_only_the_projector_rests(new_case: Callable[..., Case]) -> None:
    case = new_case("llava_next")
    trainer = case.trainer(
        case.variety(), Path("unused"), projector="freeze_after_warmup", warmup_ratio=0.3
    )
    groups = parameter_groups(trainer.model, trainer.partition, trainer.config)
    optimizer = torch.optim.AdamW(groups)
    scheduler = make_scheduler(optimizer, trainer.config, warmup=3, total=10)
    seen = []
    for _ in range(10):
        seen.append({group["part"]: group["lr"] for group in optimizer.param_groups})
        optimizer.step()
        scheduler.step()
    assert [step["projector"] > 0 for step in seen] == [True] * 3 + [False] * 7
    assert all(step["language"] > 0 for step in seen)


def _same_logits(trained: Trained) -> None:
    case, rows = trained.case, trained.case.variety()[:4]
    expected = logits_of(case, trained.trainer.model, rows)
    reloaded = load_adapter(case.fresh(), case.family, trained.folder)
    assert torch.equal(logits_of(case, reloaded, rows), expected)
    assert not torch.equal(logits_of(case, case.fresh(), rows), expected), "training did nothing"


def test_the_adapter_comes_back_bitwise(case: Case, train: Callable[..., Trained]) -> None:
    _same_logits(train(case, gradient_checkpointing=True))


def test_the_projector_matters_after_reload(pictured: Case, train: Callable[..., Trained]) -> None:
    """Without its file the logits are others: it is not only saved, it has its effect."""
    trained = train(pictured, gradient_checkpointing=True)
    hidden = trained.folder / "hidden"
    (trained.folder / "projector.safetensors").rename(hidden)
    try:
        adapter_only = load_adapter(pictured.fresh(), pictured.family, trained.folder)
    finally:
        hidden.rename(trained.folder / "projector.safetensors")
    rows = pictured.variety()[:2]
    whole = logits_of(pictured, trained.trainer.model, rows)
    assert not torch.equal(logits_of(pictured, adapter_only, rows), whole)


@pytest.mark.parametrize("file", ["projector.safetensors", "adapter_model.safetensors"])
@pytest.mark.parametrize("wrong", ["missing", "unexpected"])
def test_a_missing_or_unexpected_tensor_is_fatal(
    new_case: Callable[..., Case],
    train: Callable[..., Trained],
    tmp_path: Path,
    file: str,
    wrong: str,
) -> None:
    trained = train(new_case("llava_next"), gradient_checkpointing=True)
    for path in trained.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tensors = load_file(tmp_path / file)
    first = min(tensors)
    kept = tensors.pop(first)
    if wrong == "unexpected":
        tensors |= {first: kept, f"{first}.more": kept.clone()}
    save_file(tensors, tmp_path / file, metadata={"format": "pt"})
    case = trained.case
    with pytest.raises(VerificationError, match=wrong):
        load_adapter(case.fresh(), case.family, tmp_path)


def test_a_trainable_tensor_that_saw_no_gradient_fails_by_name(
    new_case: Callable[..., Case], tmp_path: Path
) -> None:
    case = new_case("llava_next")
    rows = [case.row((f"{i}?", f"{i}"), images=[], name=f"{i}") for i in range(4)]
    with pytest.raises(EvidenceError) as caught:
        case.trainer(rows, tmp_path).train()
    named = {problem.where: problem.what for problem in caught.value.problems}
    assert set(named) == set(Partition.of(case.family, case.fresh()).names("projector"))
    assert set(named.values()) == {"trainable, but saw no gradient"}


def test_a_trainable_tensor_that_did_not_change_fails_by_name(
    new_case: Callable[..., Case], tmp_path: Path
) -> None:
    case = new_case("llava")
    with pytest.raises(EvidenceError) as caught:
        case.trainer(case.variety()[:4], tmp_path, projector_learning_rate=1e-30).train()
    assert {p.what for p in caught.value.problems} == {"trainable, but did not change"}
    assert "model.multi_modal_projector.linear_1.weight" in {p.where for p in caught.value.problems}


def test_a_frozen_tensor_that_moves_fails_by_part(
    new_case: Callable[..., Case], tmp_path: Path
) -> None:
    case = new_case("llava")
    trainer = case.trainer(case.variety()[:4], tmp_path)
    tower = next(m for n, m in top_modules(trainer.model, case.family, "vision"))
    forward = tower.forward

    def meddle(*args: Any, **kwargs: Any) -> Any:
        next(tower.parameters()).data.add_(1e-3)
        return forward(*args, **kwargs)

    tower.forward = meddle
    with pytest.raises(EvidenceError) as caught:
        trainer.train()
    assert [(p.where, p.what) for p in caught.value.problems] == [
        ("vision", "frozen, but its weights changed during the run")
    ]


def test_what_trains_is_read_from_the_wrapped_model(case: Case, tmp_path: Path) -> None:
    """`modules.json` and the receipt agree with the model, adapter by adapter."""
    trainer = case.trainer(case.variety(), tmp_path)
    lists = trainer.modules()
    trains = {base_name(n) for n, p in trainer.model.named_parameters() if p.requires_grad}
    assert {entry["name"] for entry in lists["trainable"]} == trains
    everything = {base_name(n) for n, _ in trainer.model.named_parameters()}
    assert {entry["name"] for entry in lists["frozen"]} == everything - trains
    assert {e["part"] for e in lists["trainable"] if e["kind"] == "lora"} == {"language"}
