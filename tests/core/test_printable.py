"""No character that steers a terminal passes, whatever the text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from kolm_cli.core.printable import json_text, one_line, printable
from tests.support.hostile_text import ANYTHING, HOSTILE, steering


@settings(deadline=None)
@given(ANYTHING | HOSTILE)
def test_nothing_that_steers_passes(text: str) -> None:
    assert not steering(printable(text), but="\n\t")
    assert not steering(one_line(text), but="")
    assert not steering(json_text({text: [text]}, indent=2), but="\n")
    assert not steering(json_text(text), but="")
    printable(text).encode()


@settings(deadline=None)
@given(ANYTHING | HOSTILE)
def test_json_reads_back_as_it_was(text: str) -> None:
    # Two lone surrogates beside each other are a pair once they are read.
    whole = json.loads(json.dumps(text))
    assert json.loads(json_text({"a": text})) == {"a": whole}


@settings(deadline=None)
@given(ANYTHING | HOSTILE)
def test_what_is_made_printable_stays_so(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc", "a\nb\tc"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J\u202e\r", r"\x9b2J\u202e\r"),
        ("größer 漢字 \u3000 👩\u200d🔬", "größer 漢字 \u3000 👩\u200d🔬"),
        ("\udcff", r"\udcff"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_one_line_cannot_forge_a_line() -> None:
    assert one_line("ok\nstate   trusted") == r"ok\nstate   trusted"
