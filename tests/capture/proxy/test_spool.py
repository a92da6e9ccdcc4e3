"""The spool: half an entry is not read, and hides nothing."""

from __future__ import annotations

from pathlib import Path


def test_half_an_entry_is_not_read_and_hides_nothing(tmp_path: Path) -> None:
    from kolm_cli.capture.proxy.spool import Call, Spool, SpoolReader

    spool = Spool(tmp_path)
    calls = [Call(str(i), "ns", i, "/p", "", "", "", b"q" * i, b"a" * 9) for i in range(5)]
    for call in calls:
        spool.append(call)
    (segment,) = SpoolReader(tmp_path).segments()
    whole = segment.read_bytes()
    for cut in range(len(whole)):
        segment.write_bytes(whole[:cut])
        found = SpoolReader(tmp_path).read(99, 1 << 20)
        assert found == calls[: len(found)]
        segment.write_bytes(whole[:cut] + bytes([whole[cut] ^ 1]) + whole[cut + 1 :])
        damaged = SpoolReader(tmp_path).read(99, 1 << 20)
        assert damaged == calls[: len(damaged)]
        assert len(damaged) < 5
    segment.write_bytes(whole)
    assert SpoolReader(tmp_path).read(99, 1 << 20) == calls
