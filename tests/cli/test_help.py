"""`--help` of every command, against snapshots: a change of the interface must be meant.

`KOLM_UPDATE_SNAPSHOTS=1 pytest tests/cli/test_help.py` writes them anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kolm_cli.cli.app import build_app
from tests.cli.command_names import command_names

SNAPSHOTS = Path(__file__).parent / "help"


@pytest.mark.parametrize("name", command_names(), ids=lambda name: name or "kolm")
def test_help_is_as_in_the_snapshot(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(build_app(), [*name.split(), "--help"], prog_name="kolm")
    assert done.exit_code == 0
    path = SNAPSHOTS / f"{name.replace(' ', '-') or 'kolm'}.txt"
    if os.environ.get("KOLM_UPDATE_SNAPSHOTS"):
        path.write_text(done.output)
    assert done.output == path.read_text()


@pytest.mark.parametrize("name", command_names(), ids=lambda name: name or "kolm")
def test_nothing_is_cut_and_no_type_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = CliRunner().invoke(build_app(), [*name.split(), "--help"], prog_name="kolm").output
    assert "..." not in text.replace("]...", "").replace("BUNDLE...", "").replace(" [ARGS]", "")
    assert all(len(line) <= 80 for line in text.splitlines())
    # Choices are in angle brackets, and the marker in a prompt; no name of a Python type.
    assert not re.search(r"<(?!image>)[A-Za-z\[\] ]+>|\b(str|Path|None)\b|list\[|%Y", text)


def test_no_snapshot_is_left_of_a_command_that_is_gone() -> None:
    wanted = {f"{name.replace(' ', '-') or 'kolm'}.txt" for name in command_names()}
    assert {path.name for path in SNAPSHOTS.glob("*.txt")} == wanted
