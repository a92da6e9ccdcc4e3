"""How much work it may be to score a bundle's answers: a multiple of the bytes that hold them.

A metric takes up to the product of two texts' lengths for each accepted answer, and reads the
prediction anew for each. Without a bound, a few megabytes could keep a verifier busy for hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kolm_cli.bundle.format.pack import PackRow

# For each byte of the pack and the predictions: characters that are read, and pairs of them.
READ_PER_BYTE = 128
PAIRS_PER_BYTE = 8192
# Small files may do what any may.
LEAST_BYTES = 1 << 16


def too_much(
    pack: Sequence[PackRow], predictions: Iterable[Mapping[str, str | None]], stored: int
) -> str:
    """Why these answers cannot be in a bundle; empty when they can.

    Args:
        pack: the rows with their accepted answers.
        predictions: row id to answer, of the adapter and of the base.
        stored: bytes of the files that hold all of these.
    """
    read = pairs = 0
    for said in predictions:
        for row in pack:
            length = len(said.get(row.id) or "")
            accepted = sum(map(len, row.accepted))
            read += length * len(row.accepted) + accepted
            pairs += length * accepted
    budget = max(stored, LEAST_BYTES)
    for what, count, most in (
        ("characters to read", read, READ_PER_BYTE * budget),
        ("pairs of characters to compare", pairs, PAIRS_PER_BYTE * budget),
    ):
        if count > most:
            return f"the answers give {count} {what}, more than {most} for {stored} bytes"
    return ""
