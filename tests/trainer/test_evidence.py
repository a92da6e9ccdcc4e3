"""What the run proves: a tensor that did not train, or moved though frozen, fails by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.trainer.evidence import EvidenceError
from kolm_cli.trainer.partition import Partition, top_modules
from tests.support.cases import Case


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
