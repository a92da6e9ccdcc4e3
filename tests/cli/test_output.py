"""The one writer: nothing that it is given can steer a terminal, and errors say all."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolm_cli.cli.app import output_for
from kolm_cli.cli.bars import LiveDisplay
from kolm_cli.cli.live import JsonDisplay, PlainDisplay
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import InputError, Problem
from tests.support.hostile_text import ANYTHING, HOSTILE, steering

TEXT = ANYTHING | HOSTILE


def written(text: str, *, as_json: bool = False, as_events: bool = False) -> str:
    """All that an `Output` writes of a text, by any way."""
    out, err = io.StringIO(), io.StringIO()
    output = Output(as_json=as_json, as_events=as_events)
    with redirect_stdout(out), redirect_stderr(err):
        output.data(text)
        output.json({text: text})
        output.json_list([text, {text: 1}])
        output.json_line([text])
        output.table((text, "B"), [("a", text)])
        output.note(text)
        output.error(InputError(Problem(text, text, text), hint=text))
        output.fault(ValueError(text))
        for display in (PlainDisplay(output), JsonDisplay(Output())):
            display.stage(text, 3, text)
            display.advance(3, **{text: text})
            display.note(text)
    return out.getvalue() + err.getvalue()


@settings(deadline=None)
@given(TEXT, st.booleans(), st.booleans())
def test_nothing_that_steers_reaches_the_terminal(
    text: str, as_json: bool, as_events: bool
) -> None:
    shown = written(text, as_json=as_json, as_events=as_events)
    assert not steering(shown, but="\n\t")
    shown.encode()


@settings(deadline=None)
@given(TEXT)
def test_nor_through_the_bars(text: str) -> None:
    stream = io.StringIO()
    with LiveDisplay(Output(), stream=stream) as display:
        display.stage(text, 3, text)
        display.advance(2, **{text: text})
        display.note(text)
    assert not steering(stream.getvalue(), but="\n\t")


def test_text_cannot_pass_for_a_line_of_kolms_own(capsys: pytest.CaptureFixture[str]) -> None:
    Output().error(InputError(Problem("odd\nerror: forged", "a\nb", "x\ntry: forged")))
    assert capsys.readouterr().err.splitlines() == [
        r"error: a\nb: odd",
        "    error: forged",
        "  fix: x",
        "    try: forged",
    ]


def test_events_are_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    output = output_for(["compile", "x", "--progress", "json"])
    output.note("careful")
    output.error(InputError(Problem("odd", "x:1", "mend it"), hint="kolm init"))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    note, error = lines
    assert note == {"event": "note", "text": "careful"}
    assert error["event"] == "error"
    assert error["exit_code"] == 2
    assert {"what": "odd", "where": "x:1", "fix": "mend it"}.items() <= error["problems"][0].items()
    assert error["hint"] == "kolm init"


def test_a_long_list_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    for items in ([], [1], [{"a": "\x9b"}, None]):
        Output().json_list(items)
        assert json.loads(capsys.readouterr().out) == items


def test_what_an_encoding_lacks_is_spelt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    Output.never_fail_to_encode()
    Output().data("größer \udcff", flush=True)
    assert raw.getvalue() == rb"gr\xf6\xdfer \udcff" + b"\n"
