"""`kolm capture show`: a pair on a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kolm_cli.capture.store import Store
from tests.capture.helpers import Kolm, put


def test_show_prints_the_pair_and_no_control_characters(store: Store, kolm: Kolm) -> None:
    number = put(store, "evil \x1b]0;title\x07 \x1b[2J", 1, response="fine\nsecond line")
    ran = kolm("capture", "show", number)
    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert "fine\nsecond line" in ran.out
    assert "\\x1b[2J" in ran.out
    assert json.loads(kolm("capture", "show", number, "--json").out)["id"] == number
    listed = kolm("capture", "ls", "ns")
    assert "\x1b" not in listed.out
    assert kolm("capture", "show", 99).code == 2


@pytest.mark.parametrize(
    ("environment", "mark"),
    [
        ({"TERM": "xterm-kitty"}, "\x1b_Ga=T,f=100"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "\x1b]1337;File=inline=1"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "\x1b[38;2;1;1;1;48;2;1;1;1m▀"),
        ({"TERM": "dumb"}, None),
    ],
)
def test_show_draws_the_picture_where_the_terminal_can(
    store: Store, home: Path, environment: dict[str, str], mark: str | None
) -> None:
    import pty

    number = put(store, "q", 1)
    front, back = pty.openpty()
    base = {
        k: v for k, v in os.environ.items() if k not in ("COLORTERM", "TERM_PROGRAM", "NO_COLOR")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "kolm_cli.cli.app", "capture", "show", str(number)],
        stdout=back,
        stderr=subprocess.PIPE,
        env={**base, "KOLM_HOME": str(home), **environment},
    )
    os.close(back)
    seen = b""
    while True:
        try:
            piece = os.read(front, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    assert process.wait(timeout=60) == 0
    text = seen.decode()
    assert "pair 1 in ns" in text
    if mark is None:
        assert "\x1b" not in text
    else:
        assert mark in text
