"""An unfrozen vision tower trains at a rate of its own, and comes back from disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load_file

from kolm_cli.core.globs import matches_any
from kolm_cli.trainer.schedule import parameter_groups
from tests.support.cases import Case, Notes
from tests.trainer.trained import Trained, assert_same_logits


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


def test_an_unfrozen_tower_comes_back_bitwise(
    pictured: Case, train: Callable[..., Trained]
) -> None:
    trained = train(pictured, freeze_vision=False, vision_learning_rate=3e-4)
    assert_same_logits(trained)
