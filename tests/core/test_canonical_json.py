"""Strict and canonical JSON: one text for each value, and nothing else is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kolm_cli.core import canonical_json
from kolm_cli.core.canonical_json import JSONError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-1e15, 1e15, allow_nan=False)
    | texts
    | st.sampled_from(["1.5", "0e1", "\\u0041", "\x7f", "\u2028", "\x00", '"', "-0", "\ue000"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
)


@settings(max_examples=600)
@given(value=values)
@example(value={"\ue000": 1, "\U0001f600": 2})
@example(value=-0.0)
def test_what_is_written_canonically_is_read(value: Any) -> None:
    data = canonical_json.dumps(value)
    assert data == rfc8785.dumps(value)
    assert canonical_json.loads_canonical(data, max_bytes=1 << 20) == value


@settings(max_examples=600)
@given(value=values, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_the_same_value_written_otherwise_is_refused(
    value: Any, indent: int | None, ascii_only: bool
) -> None:
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    if data == rfc8785.dumps(value):
        assert canonical_json.loads_canonical(data, max_bytes=1 << 20) == value
    else:
        with pytest.raises(JSONError, match="canonical form"):
            canonical_json.loads_canonical(data, max_bytes=1 << 20)


@pytest.mark.parametrize("text", [b"-0", b"[-0]", b"1.0", b"1e2", b"1E2", b'"\\u0041"', b'"\\/"'])
def test_numbers_and_texts_have_one_form(text: bytes) -> None:
    with pytest.raises(JSONError, match="canonical form"):
        canonical_json.loads_canonical(text, max_bytes=100)


def test_keys_sort_as_utf_16() -> None:
    """U+1F600 is a surrogate pair that begins with D83D, before E000."""
    astral_first = '{"\U0001f600":1,"\ue000":2}'.encode()
    assert canonical_json.loads_canonical(astral_first, max_bytes=100)
    by_code_point = '{"\ue000":2,"\U0001f600":1}'.encode()
    with pytest.raises(JSONError, match="canonical form"):
        canonical_json.loads_canonical(by_code_point, max_bytes=100)
