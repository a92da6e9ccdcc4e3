"""What a row says of its judging travels as tags of its pair."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats.reader import RowReader
from kolm_cli.records.judging_tags import judging_of, judging_tags
from tests.support.jobs import write_rows


@pytest.mark.parametrize(
    ("said", "tags"),
    [
        ({}, ()),
        ({"group": "dates"}, ("eval.group:dates",)),
        ({"weight": 2}, ("eval.weight:2",)),
        ({"weight": 1}, ()),
        ({"metric": "anls"}, ('eval.metric:{"name":"anls"}',)),
        (
            {"metric": {"name": "relaxed_accuracy", "tolerance": 0.05}},
            ('eval.metric:{"name":"relaxed_accuracy"}',),
        ),
    ],
)
def test_there_and_back(said: dict[str, Any], tags: tuple[str, ...]) -> None:
    assert judging_tags(said) == tags
    assert judging_tags(judging_of(("other", *tags)).as_json()) == tags


@pytest.mark.parametrize(
    "tags",
    [
        ["eval.wieght:2"],
        ["eval.weight:0"],
        ["eval.weight:heavy"],
        ["eval.weight:NaN"],
        ["eval.metric:nothing"],
        ["eval.group:" + "x" * 65],
        ["eval.group:a", "eval.group:b"],
    ],
)
def test_a_tag_that_says_nothing_is_refused(tags: list[str]) -> None:
    with pytest.raises((ValueError, InputError)):
        judging_of(tags)


def read(tmp_path: Path, **keys: Any) -> Any:
    path = write_rows(tmp_path / "rows.jsonl", 1)
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}) + "\n")
    (row,) = RowReader(path)
    return row


def test_rows_say_it_with_keys(tmp_path: Path) -> None:
    row = read(tmp_path, group="dates", weight=2, metric={"name": "cer"}).as_row()
    assert (row.judging.group, row.judging.weight) == ("dates", 2.0)
    assert row.judging.metric.metric.name == "cer"
    plain = read(tmp_path).as_row()
    assert plain.judging.as_json() == {}
    assert plain.digest != row.digest


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"weight": -1}, "weight: -1"),
        ({"metric": "nothing"}, "no metric"),
        ({"group": 3}, "group: 3"),
        ({"metirc": "anls"}, "did you mean"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, keys: dict[str, Any], words: str) -> None:
    problem = read(tmp_path, **keys)
    assert isinstance(problem, Problem)
    assert words in str(problem)


def test_the_answers_of_ten_people_are_kept_as_often_as_they_were_given(tmp_path: Path) -> None:
    said = ["yes"] * 7 + ["no"] * 3
    assert read(tmp_path, response="yes", answers=said).as_row().accepted == tuple(said)
    assert read(tmp_path, response="yes", answers=["yes", "no"]).as_row().accepted == ("yes", "no")
