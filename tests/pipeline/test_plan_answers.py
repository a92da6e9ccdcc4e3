"""Batches of answers that a plan counts."""

from __future__ import annotations

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.pipeline.plan_answers import answered_batches, evaluation
from kolm_cli.pipeline.plan_inputs import PlannedRows
from kolm_cli.plan.assumed_rows import AssumedRows
from kolm_cli.spec.model import Spec


def spec_of(**during: object) -> Spec:
    evaluate = {"metric": "anls", "batch_size": 4, "during": {"every": "5 steps", **during}}
    return Spec.model_validate(
        {
            "kolm": 1,
            "name": "x",
            "base": {"model": "a/b"},
            "data": {"train": "capture:x@train", "eval": "capture:x@eval"},
            "evaluate": evaluate,
        }
    )


def test_rows_that_choose_are_asked_meanwhile_and_not_scored() -> None:
    rows = PlannedRows([], 100, 11)
    # Three batches of all for the base and the adapter, one of four after 5 and 10 steps.
    assert answered_batches(spec_of(rows=4), rows, 10) == 3 + 3 + 2 * 1
    assert answered_batches(spec_of(rows=4, keep="best"), rows, 10) == 2 + 2 + 2 * 1
    assert evaluation(1.0, 9, 0.1, 2000)["share_not_training"] == 0.3333


def test_more_rows_than_the_pack_has() -> None:
    with pytest.raises(InputError, match="the pack has 11 rows, not 64"):
        answered_batches(spec_of(rows=64), PlannedRows([], 100, 11), 10)
    assumed = PlannedRows([], 100, 11, AssumedRows(100))
    assert answered_batches(spec_of(rows=64, keep="best"), assumed, 10) == 2 * 3
