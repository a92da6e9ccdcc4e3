"""What both readers say of one bundle; every hostile bundle of the suite passes through here."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tests.interop import second_reader

# `policy` is about trust, and `cid` about what the caller asked for.
ELSEWHERE = {"policy", "cid"}
MOST_BYTES = 64 << 20  # the second reader holds the whole file


def agreed(
    data: bytes, failed: Iterable[str], state: str, cid: str | None, trusted: Collection[str]
) -> str:
    """The common verdict, or `undecided` where only kolm makes the check that failed.

    Args:
        data: the bundle.
        failed: the names of the checks of kolm that failed.
        state: kolm's verdict.
        cid: the CID by kolm's reading.
        trusted: the ids of the keys that are trusted for every name.
    """
    refused = set(failed) - ELSEWHERE
    decided = refused - set(second_reader.UNDECIDED)
    # What a metric of one row's own takes for options, only its metric knows.
    if b'"metric":{' in data and decided == {"dataset"}:
        return "undecided"
    refusal = ""
    try:
        second_cid, second_state = second_reader.read(data, trusted)
    except ValueError as error:
        refusal = str(error)
    assert bool(decided) == bool(refusal), f"kolm: {decided or 'accepts'}; second: {refusal}"
    if refusal:
        return "invalid"
    assert second_cid == cid
    assert refused or "cid" in failed or second_state == state
    return "undecided" if refused else second_state
