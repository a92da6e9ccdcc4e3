"""Hostile bytes: good samples, cut, doubled, spliced and set to values that break parsers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

TOKENS = (
    *(b"", b"\0", b"\xff\xff\xff\xff", b"\0" * 8, b"\xff" * 8, b"\x7f\xff\xff\xff"),
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\ud800", b"\\u0000", b"\xed\xa0\x80"),
    *(b"NaN", b"1e999", b"-0", b"1" * 400, b"null", b"true", b"[" * 200, b'{"a":' * 200),
    *(
        b"&a [*a]",
        b"!!python/object:os.system x",
        b"1:2:3",
        b"<<: *a",
        b"---\n",
        b"\r\n",
        b"\xef\xbb\xbf",
    ),
    *(
        b"../",
        b"/dev/zero",
        b"PK\3\4",
        b"PK\5\6",
        b"PAR1",
        b"ustar",
        b"\x89PNG",
        b"data:",
        b"file://",
    ),
)
_OPERATIONS = ("replace", "insert", "delete", "repeat", "splice", "flip")
Step = tuple[str, float, int, bytes]

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(_OPERATIONS),
        st.floats(0, 1),
        st.integers(0, 80),
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8)),
    ),
    max_size=6,
)


def _apply(sample: bytes, steps: Sequence[Step]) -> bytes:
    data = sample
    for operation, place, length, piece in steps:
        at = int(place * len(data))
        if operation == "replace":
            data = data[:at] + piece + data[at + len(piece) :]
        elif operation == "insert":
            data = data[:at] + piece + data[at:]
        elif operation == "delete":
            data = data[:at] + data[at + length :]
        elif operation == "repeat":
            data = data[:at] + data[at : at + length] * 3 + data[at:]
        elif operation == "splice":
            data = data[:at] + sample[length * 7 :]
        elif data:
            at = min(at, len(data) - 1)
            data = data[:at] + bytes([data[at] ^ (1 << length % 8)]) + data[at + 1 :]
    return data


def damaged(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Samples with up to six changes, and bytes of no sample."""
    return st.one_of(
        st.builds(_apply, st.sampled_from(samples), _STEPS),
        st.builds(_apply, st.sampled_from(samples), _STEPS),
        st.binary(max_size=400),
    )


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8)
)
_ANY = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def _put(sample: bytes, choices: Sequence[float], value: Any) -> bytes:
    """The document with another value somewhere."""
    document = json.loads(sample)
    inside, rest = document, list(choices)
    while rest and isinstance(inside, dict | list) and inside:
        keys = list(inside) if isinstance(inside, dict) else range(len(inside))
        key = keys[int(rest.pop() * (len(keys) - 1))]
        deeper = isinstance(inside[key], dict | list) and inside[key] and rest
        if not deeper:
            inside[key] = value
            break
        inside = inside[key]
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(
        errors="surrogatepass"
    )


def documents(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """JSON documents with another value in one place, or damaged as bytes."""
    places = st.lists(st.floats(0, 1), max_size=5)
    return st.one_of(st.builds(_put, st.sampled_from(samples), places, _ANY), damaged(samples))


def lines(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """JSON lines with another value in one, or damaged as bytes."""
    firsts = [sample.splitlines()[0] for sample in samples]
    changed = st.builds(
        lambda line, sample: line + b"\n" + sample, documents(firsts), st.sampled_from(samples)
    )
    return st.one_of(changed, damaged(samples))
