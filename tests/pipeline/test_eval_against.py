"""`kolm eval`: mistakes, and wins and losses against another bundle or stored answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.formats.reader import RowReader
from kolm_cli.pipeline import against
from kolm_cli.pipeline.baseline import read_baseline
from kolm_cli.pipeline.bundle_use import unpacked
from kolm_cli.records.row import Row
from tests.support.command import kolm
from tests.support.jobs import Compiled


@pytest.fixture
def pack(compiled: Compiled) -> list[Row]:
    return [row.as_row() for row in RowReader(compiled.job.folder / "eval.jsonl")]  # type: ignore[union-attr]


def test_a_bundle_against_itself_and_against_a_teacher(
    compiled: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teacher knows every answer; the bundle is the same as itself."""
    lines = [
        json.loads(line) for line in (compiled.job.folder / "eval.jsonl").read_text().splitlines()
    ]
    teacher = tmp_path / "teacher.jsonl"
    said = [
        {"id": f"eval.jsonl:{i}", "prediction": row["response"]} for i, row in enumerate(lines, 1)
    ]
    teacher.write_text("".join(json.dumps(line) + "\n" for line in said[:-1]))
    asked = ("--limit", "3", "--wrong", "2", "--compare", compiled.bundle, "--baseline", teacher)
    opened: list[Path] = []

    def counting(path: Path, *more: Any) -> Any:
        opened.append(path)
        return unpacked(path, *more)

    monkeypatch.setattr(against, "unpacked", counting)
    done = compiled.job.kolm("eval", compiled.bundle, *asked, "--json")
    assert done.code == 0, done.err
    assert "check rows: 0/3 rows\n" in done.err
    assert "load base and adapter: " not in done.err, "no count under a stage that has none"
    assert opened == [compiled.bundle], "the other bundle is verified once"
    report = done.json
    assert report["rows"] == 3
    assert report["predictions_as_in_bundle"] is True
    assert len(report["mistakes"]) <= 2
    other = report["compared"]["other"]
    assert (other["cid"], other["difference"], other["wins"], other["losses"], other["p"]) == (
        report["cid"], 0.0, 0, 0, 1.0,
    )  # fmt: skip
    assert report["compared"]["baseline"]["accuracy"] == 1.0
    assert "they are the yardstick" in done.err
    assert len(report["baseline_rows"]["lost"]) == report["compared"]["baseline"]["losses"]


def test_another_bundle_that_is_not_there_is_said_before_anything_is_answered(
    compiled: Compiled,
) -> None:
    done = compiled.job.kolm("eval", compiled.bundle, "--compare", "nothing.kolm")
    assert done.code == 2
    assert "nothing.kolm: there is no such file" in done.err
    assert "fix: check the path" in done.err
    assert "load base" not in done.err


def test_the_terminal_shows_mistakes_and_comparisons(compiled: Compiled) -> None:
    done = compiled.job.kolm("eval", compiled.bundle, "--limit", "2", "--wrong", "1")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[1] == "rows           2"
    assert any("the base" in line for line in lines)
    assert sum(" right is " in line for line in lines) <= 1
    assert lines[-1] == "answers        the same as in the bundle"


def test_captured_answers_are_matched_by_what_was_asked(
    compiled: Compiled, pack: list[Row], tmp_path: Path
) -> None:
    rows = [
        json.loads(line) for line in (compiled.job.folder / "eval.jsonl").read_text().splitlines()
    ]
    (tmp_path / "images").symlink_to(compiled.job.folder / "images")
    other = tmp_path / "other-name.jsonl"
    answered = [{**row, "response": f"teacher {i}"} for i, row in enumerate(rows)]
    other.write_text("".join(json.dumps(row) + "\n" for row in reversed(answered[:4])))
    expected = {pack[i].id: f"teacher {i}" for i in range(4)}
    assert read_baseline(str(other), pack) == expected
    # The same from a namespace of the store, whole and by its split.
    done = kolm("capture", "import", other, "--to", "teacher", "--json")
    assert done.code == 0, done.err
    assert read_baseline("capture:teacher", pack) == expected
    halves = [read_baseline(f"capture:teacher@{split}", pack) for split in ("train", "eval")]
    assert halves[0] | halves[1] == expected
    asked = ("--baseline", "capture:teacher", "--limit", "2", "--json", "--allow-untrusted")
    given = ("--pack", compiled.job.folder / "eval.jsonl", "--base", compiled.job.folder / "base")
    done = kolm("eval", compiled.bundle, *given, *asked)
    assert done.code == 0, done.err
    assert done.json["compared"]["baseline"]["name"] == "capture:teacher"
    with pytest.raises(InputError, match="there is no capture namespace 'nobody'"):
        read_baseline("capture:nobody", pack)


def test_a_baseline_that_answers_something_else_is_refused(pack: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text('{"id": "x", "prediction": "y"}\n')
    with pytest.raises(InputError, match="an answer to none of the rows"):
        read_baseline(str(path), pack)
    path.write_text('{"id": "x", "prediction": "y"}\n{"id": 3, "prediction": "y"}\n')
    with pytest.raises(InputError, match=r"said\.jsonl:2"):
        read_baseline(str(path), pack)
    with pytest.raises(InputError, match="--baseline"):
        read_baseline(str(tmp_path / "nothing.jsonl"), pack)
