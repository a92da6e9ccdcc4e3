"""A wrong command line: said as every other error is, with exit 2 and the help that tells more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import kolm
from tests.support.hostile_text import steering


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("compile",), "Missing argument"),
        (("compile", "--froce", "x"), "No such option: --froce"),
        (("compil",), "Did you mean 'compile'"),
        (("capture", "add", "--to"), "--to"),
        (("validate", "x", "--progress", "loud"), "'--progress': 'loud' is not one of"),
        (("serve", "x", "--port", "a"), "'--port': it should be a valid integer\n"),
    ],
)
def test_what_is_wrong_and_where_help_is(arguments: tuple[str, ...], words: str) -> None:
    done = kolm(*arguments)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert words in done.err
    assert "--help" in done.err.splitlines()[-1]
    assert done.out == ""


def test_with_json_it_is_a_document() -> None:
    done = kolm("compile", "--froce", "--json")
    assert done.code == 2
    assert "--froce" in json.loads(done.out)["error"]["problems"][0]["what"]


def test_a_group_without_a_command_shows_its_help() -> None:
    done = kolm("capture")
    assert done.code == 2
    assert "Usage:" in done.err
    assert "error:" not in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("compile", "\x1b[2Jspec.yaml"),
        ("--\x1b[2J",),
        ("\x9b2J",),
        ("capture", "import", "\u202e.jsonl", "--to", "ns"),
        ("receipt", "\x1b]0;x\x07.kolm"),
        ("sign", "\x1b[2J.kolm"),
        ("push", "\x1b[2J.kolm"),
        ("unpack", "\x1b[2J.kolm", "x"),
        ("diff", "\x1b[2J.kolm", "\x1b[2J.kolm"),
        ("verify", "\x1b[2J.kolm", "--json"),
    ],
    ids=lambda arguments: ascii(arguments[0]),
)
def test_names_cannot_steer_the_terminal(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = kolm(*arguments, cwd=tmp_path)
    assert done.code == 2, done.err
    assert not steering(done.out + done.err, but="\n\t")


def test_spec_keys_cannot_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text('kolm: 1\nname: x\n"\\e[2J\\u202e": 1\n"\\x9b": 2\n')
    done = kolm("compile", str(tmp_path / "x.yaml"))
    assert done.code == 2
    assert r"\x1b[2J\u202e" in done.err
    assert not steering(done.err, but="\n")


def test_a_place_without_permission_is_no_fault(tmp_path: Path) -> None:
    done = kolm("init", str(tmp_path / ("n" * 300)))
    assert done.code in (2, 5)
    assert "File name too long" in done.err


def test_sigint_is_exit_130(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, time, kolm_cli.cli.app as app\n"
        "import kolm_cli.bundle.receipt as b\n"
        "b.read_receipt = lambda path: (os.kill(os.getpid(), signal.SIGINT), time.sleep(20))\n"
        # A job in the background starts with SIGINT ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.argv = ['kolm', 'receipt', 'x.kolm']; app.main()\n"
    )
    (tmp_path / "x.kolm").touch()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert done.stderr == "Interrupted.\n"
