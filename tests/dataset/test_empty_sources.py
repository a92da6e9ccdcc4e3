"""Reading a source: an empty one says which side has no rows, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolm_cli.capture.store import Store
from kolm_cli.core.errors import Problem
from kolm_cli.dataset.sources import read_source
from kolm_cli.records.conversation import Conversation
from kolm_cli.spec.sources import parse_source


def only_problem(reference: str, *, accepted_only: bool = False) -> Problem:
    source = parse_source(reference, Path.cwd())
    (problem,) = read_source(source, accepted_only=accepted_only).problems
    return problem


def test_an_empty_split_names_its_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLM_HOME", str(tmp_path))
    with Store.open() as store:
        for i in range(3):
            store.add("ns", Conversation.of(f"q{i}", "a"), {}, source="test")
        sides = [store.count("ns", split=side) for side in ("train:0.01", "eval:0.01")]
    empty = "train" if not sides[0] else "eval"
    problem = only_problem(f"capture:ns@{empty}:0.01")
    assert problem.where == f"capture:ns@{empty}:0.01"
    assert "none of the 3 pairs falls on this side" in problem.what
    problem = only_problem("capture:ns", accepted_only=True)
    assert "none of its 3 pairs is accepted" in problem.what
    assert problem.fix == "kolm capture review ns"


def test_an_empty_file_names_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLM_HOME", str(tmp_path))
    (tmp_path / "rows.jsonl").write_text("\n")
    problem = only_problem(str(tmp_path / "rows.jsonl"))
    assert (problem.what, problem.where) == ("there are no rows", str(tmp_path / "rows.jsonl"))
