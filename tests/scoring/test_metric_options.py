"""Options of metrics: which there are, what they may be, what they do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.core.errors import InputError
from kolm_cli.scoring.metrics.catalog import METRICS, choose

METRICS_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=3, allow_nan=False)


def near(prediction: str, answer: str, **options: Any) -> float:
    return choose("relaxed_accuracy", options).score(prediction, [answer])


@pytest.mark.parametrize(
    ("tolerance", "prediction", "expected"),
    [
        (0, "100", 1.0),
        (0, "100.1", 0.0),
        (0.05, "105", 1.0),
        (0.1, "110", 1.0),
        (0.1, "110.1", 0.0),
        (0.1, "90", 1.0),
        (1, "200", 1.0),
        (1, "0", 1.0),
        (0.3, "130", 1.0),  # exactly 30 % off, which binary floats miss
    ],
)
def test_tolerance(tolerance: float, prediction: str, expected: float) -> None:
    assert near(prediction, "100", tolerance=tolerance) == expected


@given(said=amounts, right=amounts)
def test_the_default_is_five_percent(said: Any, right: Any) -> None:
    assert near(str(said), str(right)) == near(str(said), str(right), tolerance=0.05)


def test_text_is_compared_as_text_whatever_the_tolerance() -> None:
    assert near("blue", "red", tolerance=1) == 0.0


def test_a_default_that_is_written_is_no_option() -> None:
    assert choose("relaxed_accuracy", {"tolerance": 0.05}) == choose("relaxed_accuracy", {})


@pytest.mark.parametrize(
    ("metric", "options", "words"),
    [
        ("relaxed_accuracy", {"tolerence": 0.1}, ["'tolerence'", "did you mean tolerance?"]),
        ("relaxed_accuracy", {"schema": {}}, ["'schema'", "write one of tolerance"]),
        ("exact_match", {"tolerance": 0.1}, ["'tolerance'", "it takes no options"]),
        ("relaxed_accuracy", {"tolerance": 1.5}, ["1.5 is not a share", "0 to 1"]),
        ("relaxed_accuracy", {"tolerance": -0.1}, ["not a share"]),
        ("relaxed_accuracy", {"tolerance": 1e308}, ["not a share"]),
        ("relaxed_accuracy", {"tolerance": float("nan")}, ["not a share"]),
        ("relaxed_accuracy", {"tolerance": True}, ["True is not a share"]),
        ("relaxed_accuracy", {"tolerance": "0.1"}, ["not a share"]),
        ("relaxed_accuracy", {"tolerance": [0.1]}, ["not a share"]),
        ("relaxed_accuracy", {"tolerance": -1, "slack": 2}, ["tolerance: -1", "slack"]),
    ],
)
def test_every_wrong_option_is_named(
    metric: str, options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        choose(metric, options)
    assert len(caught.value.problems) == len(options)
    for word in words:
        assert word in str(caught.value)


def test_defaults_are_accepted_and_no_option_hides_the_name() -> None:
    for metric in METRICS:
        optional = [option for option in metric.options if not option.required]
        assert not metric.problems({o.name: o.default for o in optional}).keys() & set(optional)
        for option in optional:
            assert option.wrong(option.default) == ""
        assert "name" not in {option.name for option in metric.options}


def test_the_page_of_metrics_names_every_option_with_its_default() -> None:
    text = METRICS_PAGE.read_text(encoding="utf-8")
    said = re.findall(r"`([a-z_]+)` \(default\s+([^)]+)\)", text)
    assert said == [
        (option.name, json.dumps(option.default).strip('"'))
        for metric in METRICS
        for option in metric.options
        if not option.required
    ]
