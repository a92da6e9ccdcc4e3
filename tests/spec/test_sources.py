"""Capture references: what a spec takes the store takes, and the reverse."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kolm_cli.capture.split import Split, parse_reference
from kolm_cli.core.errors import InputError
from kolm_cli.core.names import is_name
from kolm_cli.spec.sources import CaptureSource, parse_source

NAMES = st.text("ab0._-@:", max_size=6) | st.from_regex(r"[a-z0-9._-]{1,66}", fullmatch=True)
SPLITS = st.text("traineval:.0123456789e-+_ ٣", max_size=12) | st.from_regex(
    r"(train|eval)(:[0-9.e-]{0,8})?", fullmatch=True
)


def of_spec(text: str) -> CaptureSource | None:
    try:
        source = parse_source(text, Path("/nowhere"))
    except (ValueError, OSError):
        return None
    assert isinstance(source, CaptureSource)
    return source


def of_store(text: str) -> tuple[str, Split | None] | None:
    try:
        return parse_reference(text)
    except InputError:
        return None


@given(NAMES, st.none() | SPLITS)
@example("ns", "train:0.0")
@example("ns", "train:1e-1")
@example("ns", "eval:.5")
@example("ns", "eval:0.٣")
@example("123", None)
@example("ns", "")
def test_what_a_spec_takes_the_store_takes(name: str, split: str | None) -> None:
    text = f"capture:{name}" if split is None else f"capture:{name}@{split}"
    spec, store = of_spec(text), of_store(text)
    assert (spec is None) == (store is None)
    if spec is not None and store is not None:
        assert is_name(spec.namespace)
        assert spec.namespace == store[0]
        assert (Split.parse(spec.split) if spec.split else None) == store[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("capture:UPPER", "'UPPER' is not a namespace"),
        ("capture:12", "not digits alone"),
        ("capture:ns@test", "'test' is not a split"),
        ("capture:ns@train:1e-1", "'train:1e-1' is not a split"),
    ],
)
def test_the_reason_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_source(text, Path("/nowhere"))
