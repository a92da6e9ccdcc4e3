"""Random changes to bytes."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

Mutation = Callable[[bytes], bytes]
positions = st.integers(0, 1 << 20)


def flip(at: int, bit: int) -> Mutation:
    def change(data: bytes) -> bytes:
        place = at % len(data)
        return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]

    return change


def insert(at: int, what: bytes) -> Mutation:
    return lambda data: data[: at % (len(data) + 1)] + what + data[at % (len(data) + 1) :]


def delete(at: int, count: int) -> Mutation:
    return lambda data: data[: at % len(data)] + data[at % len(data) + count :]


def overwrite(at: int, what: bytes) -> Mutation:
    return lambda data: data[: at % len(data)] + what + data[at % len(data) + len(what) :]


def move(source: int, count: int, to: int) -> Mutation:
    def change(data: bytes) -> bytes:
        start = source % len(data)
        piece = data[start : start + count]
        rest = data[:start] + data[start + count :]
        place = to % (len(rest) + 1)
        return rest[:place] + piece + rest[place:]

    return change


def truncate(at: int) -> Mutation:
    return lambda data: data[: at % len(data)]


# Few bytes, and those that mean something to a ZIP, JSON, base64 or DER.
pieces = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.sampled_from(
        [b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"\xff" * 4, b"\0" * 8]
    ),
    st.sampled_from([b'"', b"{", b"}", b"\\u0000", b"NaN", b"1e999", b"=", b",", b" ", b"\n"]),
)


byte_mutations = st.one_of(
    st.builds(flip, positions, st.integers(0, 7)),
    st.builds(insert, positions, pieces),
    st.builds(delete, positions, st.integers(1, 200)),
    st.builds(overwrite, positions, pieces),
    st.builds(move, positions, st.integers(1, 400), positions),
    st.builds(truncate, positions),
)
