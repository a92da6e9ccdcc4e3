"""Many problems of one kind are one line, with their number and the first three places."""

from __future__ import annotations

import pytest

from kolm_cli.cli.output import Output
from kolm_cli.core.errors import MOST_IN_JSON, InputError, Problem, folded


def test_few_problems_stay_as_they_are() -> None:
    few = [Problem(f"bad {i}", f"r:{i}") for i in range(3)]
    assert folded(few) == few


def test_many_of_one_kind_become_one_and_others_keep_their_own_line() -> None:
    many = [
        Problem(f"its image {i:012x} is also in the training row t.jsonl:{i}", f"e.jsonl:{i}", "no")
        for i in range(861)
    ]
    other = Problem("the response is empty", "e.jsonl:7")
    one, left = folded([*many, other])
    assert one.where == "e.jsonl:0"
    assert one.what == (
        "its image 000000000000 is also in the training row t.jsonl:0"
        " (861 of this kind; also e.jsonl:1, e.jsonl:2, …)"
    )
    assert one.fix == "no"
    assert left == other


def test_what_differs_in_a_word_that_matters_is_not_folded() -> None:
    missing = [
        Problem(f"the key {key!r} is missing", f"r:{i}", kind=f"missing-key:{key}")
        for i in range(9)
        for key in ("image", "prompt")
    ]
    assert [p.what for p in folded(missing)] == [
        "the key 'image' is missing (9 of this kind; also r:1, r:2, …)",
        "the key 'prompt' is missing (9 of this kind; also r:1, r:2, …)",
    ]
    keys = [Problem(f"unknown key '{key}'", f"r:{i}") for i in range(9) for key in "ab"]
    assert len(folded(keys)) == 2


def test_a_person_reads_a_line_a_kind_and_a_script_a_bounded_list(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problems = [Problem(f"image: no such image file: {i}.png", f"r:{i}") for i in range(5000)]
    error = InputError(*problems, hint="mend them")
    Output().error(error)
    assert capsys.readouterr().err.splitlines() == [
        "error: r:0: image: no such image file: 0.png (5000 of this kind; also r:1, r:2, …)",
        "try: mend them",
    ]
    assert len(str(error)) < 200
    said = error.as_json()["error"]
    assert said["problems_in_all"] == 5000
    assert [p["where"] for p in said["problems"]] == [f"r:{i}" for i in range(MOST_IN_JSON)]
