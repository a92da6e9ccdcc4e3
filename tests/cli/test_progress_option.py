"""`--progress`: how a command shows on stderr what it does, with `--json` and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.rows import write_rows
from tests.support import command

COMMANDS = ("compile", "eval", "run", "validate", "capture import", "push", "pull", "demo")


def kolm(folder: Path, *arguments: str) -> command.Done:
    return command.kolm(*arguments, cwd=folder)


@pytest.mark.parametrize("command", COMMANDS)
def test_long_commands_take_it(command: str) -> None:
    text = (Path(__file__).parent / "help" / f"{command.replace(' ', '-')}.txt").read_text()
    assert "--progress <live|plain|json|none>" in text


@pytest.mark.parametrize("options", [[], ["--json"], ["--json", "--progress", "plain"]])
def test_compile_says_what_it_does_with_json_too(tmp_path: Path, options: list[str]) -> None:
    done = kolm(tmp_path, "compile", "none.yaml", *options)
    assert done.code == 2
    assert done.err.startswith("read spec ...\nerror: none.yaml")
    assert bool(done.out) == bool(options)
    assert not options or json.loads(done.out)["error"]


def test_none_is_silent_but_for_errors(tmp_path: Path) -> None:
    done = kolm(tmp_path, "compile", "none.yaml", "--progress", "none")
    assert done.err.startswith("error: none.yaml")


def test_json_lines_and_nothing_else(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "x.jsonl", [str(n) for n in range(12)])
    done = kolm(tmp_path, "capture", "import", rows.name, "--to", "x", "--progress", "json")
    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.err.splitlines()]
    stages = [e for e in events if e["event"] == "stage"]
    assert [s["name"] for s in stages] == ["reading x.jsonl", "storing x.jsonl"]
    assert (stages[1]["total"], stages[1]["unit"]) == (12, "rows")
    last = [e for e in events if e["event"] == "advance"][-1]
    assert (last["done"], last["total"], last["figures"]["added"]) == (12, 12, 12)
    assert events[-1] == {"event": "note", "text": "format: json, rows (recognized)"}


def test_live_needs_a_terminal(tmp_path: Path) -> None:
    done = kolm(tmp_path, "compile", "none.yaml", "--progress", "live")
    assert done.code == 2
    assert "--progress live: stderr is no terminal" in done.err


def test_bytes_have_their_unit(tmp_path: Path) -> None:
    from tests.bundle.factory import make_bundle

    make_bundle(tmp_path / "x.kolm")
    done = kolm(tmp_path, "push", "x.kolm", "--progress", "plain")
    assert done.code == 0, done.err
    assert "store: 0.0/" in done.err
    assert " kB\n" in done.err
