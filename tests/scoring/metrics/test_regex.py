"""Regular expressions of strangers: matched in linear time, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from kolm_cli.core.errors import LackingError
from kolm_cli.scoring.metrics.catalog import choose
from kolm_cli.scoring.metrics.regex import LONGEST_TEXT, _compiled


def score(prediction: str, *patterns: str, **options: Any) -> float:
    return choose("regex", options).score(prediction, patterns)


@pytest.mark.parametrize(
    ("prediction", "pattern", "options", "expected"),
    [
        ("17 May 2024", r"\d{1,2} May 20\d\d", {}, 1.0),
        ("on 17 May 2024", r"\d{1,2} May 20\d\d", {}, 0.0),
        ("on 17 May 2024", r"\d{1,2} May 20\d\d", {"search": True}, 1.0),
        ("YES", "yes", {}, 0.0),
        ("YES", "yes", {"case": False}, 1.0),
        ("  a \n b ", "a b", {}, 1.0),
        ("größe", r"\pL+", {}, 1.0),
    ],
)
def test_matches(prediction: str, pattern: str, options: dict[str, Any], expected: float) -> None:
    assert score(prediction, pattern, **options) == expected


def test_a_lone_surrogate_is_no_fault_of_the_command() -> None:
    assert score("a\ud800", "a.") == 1.0
    with pytest.raises(ValueError, match="holds half a character"):
        score("a", "\ud800")


def test_several_expressions_are_alternatives() -> None:
    assert score("b", "a", "b") == 1.0


@pytest.mark.parametrize(
    "pattern", [r"(a)\1", "(?=a)b", "(", "a{1001}", "a" * 501, r"(\pL{500}){2}"]
)
def test_what_re2_does_not_take_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"is no regular expression of RE2|more than 500"):
        score("a", pattern)


def test_an_expression_that_takes_python_years_ends_at_once() -> None:
    assert score("a" * LONGEST_TEXT, "(a+)+b") == 0.0
    assert score("a" * (LONGEST_TEXT + 1), "a+") == 0.0  # beyond the bound nothing matches


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "re2", None)
    _compiled.cache_clear()
    with pytest.raises(LackingError, match=r"kolm-cli\[metrics\]"):
        score("a", "a")
