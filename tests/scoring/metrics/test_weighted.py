"""Several metrics at once, and the two that are kolm's own."""

from __future__ import annotations

from typing import Any

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.scoring.metrics.catalog import choose

PARTS = [{"name": "exact_match", "weight": 3}, {"name": "relaxed_accuracy", "tolerance": 0.5}]


def test_the_mean_by_weight() -> None:
    metric = choose("weighted", {"metrics": PARTS})
    assert metric.score("100", ["100"]) == 1.0
    assert metric.score("140", ["100"]) == 0.25
    found = metric.details([("140", ["100"]), ("100", ["100"]), (None, ["1"])])["parts"]
    assert [(p["metric"], p["weight"]) for p in found] == [
        ("exact_match", 3.0),
        ("relaxed_accuracy", 1.0),
    ]
    assert [p["mean"] for p in found] == pytest.approx([1 / 3, 2 / 3])
    rows: list[tuple[str, list[str]]] = [("140", ["100"]), ("100", ["100"])]
    weighed = metric.details(rows, [3.0, 1.0])["parts"]
    assert [p["mean"] for p in weighed] == [0.25, 1.0]


def test_one_choice_has_one_form() -> None:
    written = [{"name": "anls"}, {"name": "relaxed_accuracy", "tolerance": 0.05, "weight": 1}]
    short = [{"weight": 1.0, "name": "anls"}, {"name": "relaxed_accuracy"}]
    assert choose("weighted", {"metrics": written}) == choose("weighted", {"metrics": short})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs metrics"),
        ({"metrics": [{"name": "anls"}]}, "list of 2 to 8"),
        ({"metrics": ["anls", "cer"]}, "no mapping"),
        ({"metrics": [{"name": "anls"}, {"name": "nothing"}]}, "no metric 'nothing'"),
        ({"metrics": [{"name": "anls"}, {"name": "weighted", "metrics": PARTS}]}, "can be a part"),
        ({"metrics": [{"name": "anls", "weight": 0}, {"name": "cer"}]}, "not from 0.000001"),
        ({"metrics": [{"name": "anls", "weight": 5e-324}, {"name": "cer"}]}, "not from"),
        ({"metrics": [{"name": "anls", "weight": "2"}, {"name": "cer"}]}, "has the weight '2'"),
        ({"metrics": [{"name": "anls", "slack": 2}, {"name": "cer"}]}, "no option 'slack'"),
    ],
)
def test_what_is_wrong_is_said(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        choose("weighted", options)


@pytest.mark.parametrize(
    ("prediction", "answer", "options", "expected"),
    [
        ("The total is 10 EUR.", "10", {}, 1.0),
        ("The total is 100 EUR.", "10", {}, 0.0),
        ("The total is 100 EUR.", "10", {"whole_words": False}, 1.0),
        ("1000 or 10", "10", {}, 1.0),
        ("It is BLUE", "blue", {}, 1.0),
        ("It is BLUE", "blue", {"case": True}, 0.0),
        ("-5", "5", {}, 1.0),
        ("", "5", {}, 0.0),
    ],
)
def test_contains(prediction: str, answer: str, options: dict[str, Any], expected: float) -> None:
    assert choose("contains", options).score(prediction, [answer]) == expected


def test_labels_have_to_be_known() -> None:
    metric = choose("classification", {"labels": ["cat", "dog"]})
    assert metric.score("CAT", ["cat"]) == 1.0
    with pytest.raises(ValueError, match="none of the metric's labels"):
        metric.score("cat", ["cow"])
    for wrong in (["cat"], ["cat", "Cat"], ["cat", 1], "cat"):
        with pytest.raises(InputError):
            choose("classification", {"labels": wrong})
