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
        reader = SpoolReader(tmp_path)
        damaged = reader.read(99, 1 << 20)
        # In its body only that call is lost; in its head, where it ends is lost too.
        assert [call for call in calls if call in damaged] == damaged
        assert len(damaged) < 5
        assert reader.damaged == 1 or damaged == calls[: len(damaged)]
        assert len(damaged) == 4 or damaged == calls[: len(damaged)]
    segment.write_bytes(whole)
    assert SpoolReader(tmp_path).read(99, 1 << 20) == calls


def test_a_damaged_call_is_counted_and_hides_no_other(tmp_path: Path) -> None:
    from kolm_cli.capture.proxy.call_store import DAMAGED
    from kolm_cli.capture.proxy.calls import CallReader
    from kolm_cli.capture.proxy.fetch import Fetcher
    from kolm_cli.capture.proxy.recorder import Recorder
    from kolm_cli.capture.proxy.spool import Call, Spool
    from kolm_cli.capture.store import Store

    folder = tmp_path / "spool"
    folder.mkdir()
    spool = Spool(folder)
    for i in range(4):
        spool.append(Call(str(i), "ns", i + 1, "/p", "", "", "", b"q" * 99, b"a"))
    spool.close()
    (segment,) = folder.glob("*.calls")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2 - 5] ^= 1
    segment.write_bytes(data)
    with Store.open(tmp_path / "home") as store:
        recorder = Recorder(store, folder, CallReader(Fetcher()))
        while recorder.step():
            pass
        assert recorder.calls.report["calls"] == 4
        assert recorder.calls.report["without_pair"] == 4
        assert recorder.calls.reasons[DAMAGED] == 1
        recorder.forget(ended=True)
    assert not list(folder.glob("*.calls"))
