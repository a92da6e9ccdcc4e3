"""Fields of a JSON document: which are right, and what a schema demands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.scoring.metrics.catalog import choose

INVOICE = {"no": "A-17", "total": 12.5, "paid": True, "items": [{"n": "tea"}, {"n": "cup"}]}


def score(said: Any, right: Any = INVOICE, **options: Any) -> float:
    text = said if isinstance(said, str) else json.dumps(said)
    return choose("json_fields", options).score(text, [json.dumps(right)])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 1.0),
        ({"total": 12.50}, 1.0),
        ({"no": " A-17 "}, 1.0),
        ({"total": 12.6}, 0.8),
        ({"paid": 1}, 0.8),  # true is not 1
        ({"total": "12.5"}, 0.8),  # a text is no number
        ({"extra": None}, 2 * 5 / (6 + 5)),
        ({"items": []}, 2 * 3 / (4 + 5)),
        ({"items": [{"n": "cup"}, {"n": "tea"}]}, 0.6),
    ],
)
def test_fields(change: dict[str, Any], expected: float) -> None:
    assert score({**INVOICE, **change}) == pytest.approx(expected)


def test_a_row_can_be_scored_by_precision_recall_or_as_a_whole() -> None:
    said = {"no": "A-17", "total": 1}
    assert score(said, score="precision") == 0.5
    assert score(said, score="recall") == pytest.approx(0.2)
    assert score(said, score="exact") == 0.0
    assert score(INVOICE, score="exact") == 1.0


def test_lists_may_be_bags() -> None:
    assert score([1, 2, 2], [2, 1, 2], list_order=False) == 1.0
    assert score([1, 1, 2], [2, 1, 2], list_order=False) == pytest.approx(2 / 3)
    swapped = {**INVOICE, "items": [{"n": "cup"}, {"n": "tea"}]}
    assert score(swapped, list_order=False) == 1.0


def test_numbers_may_be_off() -> None:
    assert score({"t": 105}, {"t": 100}, tolerance=0.05) == 1.0
    assert score({"t": 105.1}, {"t": 100}, tolerance=0.05) == 0.0
    assert score({"t": -95}, {"t": -100}, tolerance=0.05) == 1.0
    # Each number is used once, and the best way to pair them counts.
    assert score([100, 104], [102, 98], list_order=False, tolerance=0.03) == 1.0


@pytest.mark.parametrize(
    "said", ["", "not json", "```json\n{}\n```", '{"a": 1, "a": 1}', "NaN", "[" * 100 + "]" * 100]
)
def test_what_is_not_json_scores_nothing(said: str) -> None:
    assert score(said) == 0.0
    found = choose("json_fields", {}).details([(said, [json.dumps(INVOICE)])])
    assert (found["unreadable"], found["f1"]) == (1, 0.0)


def test_an_answer_that_is_not_json_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="an accepted answer is not JSON"):
        choose("json_fields", {}).score("{}", ["tea"])


def test_over_all_rows() -> None:
    rows = [('{"a": 1, "b": 2}', ['{"a": 1}']), ('{"a": 2}', ['{"a": 1}', '{"a": 2, "b": 3}'])]
    found = choose("json_fields", {}).details(rows)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)


SCHEMA = {
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"type": "number", "minimum": 0}},
}


def test_a_schema_has_to_fit() -> None:
    assert score({"total": 5}, {"total": 5}, schema=SCHEMA) == 1.0
    assert score({"total": "5", "x": 1}, {"x": 1}, schema=SCHEMA) == 0.0
    assert score({"x": 1}, {"x": 1}, schema=SCHEMA) == 0.0


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "https://example.org/schema"}, "'\\$ref', which kolm does not take"),
        ({"properties": {"a": {"pattern": "(a+)+$"}}}, "'pattern', which kolm does not take"),
        ({"items": {"uniqueItems": True}}, "'uniqueItems', which kolm does not take"),
        ({"type": "object", "properties": {"a": {"type": "nothing"}}}, "is no schema"),
        ({"properties": {"a": 1}}, "no mapping"),
        ({"anyOf": [{}] * 600}, "more than 500 parts"),
        ("object", "is not a schema"),
    ],
)
def test_schemas_that_could_take_long_are_refused(schema: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        choose("json_fields", {"schema": schema})


def test_a_deep_schema_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(20):
        schema = {"not": schema}
    with pytest.raises(InputError, match="deeper than 16 levels"):
        choose("json_fields", {"schema": schema})
