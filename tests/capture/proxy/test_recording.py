"""Every acknowledged call has its record: under load, kills, signals and full disks."""

from __future__ import annotations

import asyncio
import resource
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from kolm_cli.capture.store import Store
from tests.capture.helpers import Kolm
from tests.capture.proxy.helpers import Running, Start, Upstream, asked, pairs, request


async def _many(url: str, clients: int, calls: int) -> list[str]:
    """Texts of the calls that were answered."""
    waiting = iter(range(calls))
    done: list[str] = []

    async def one(client: httpx.AsyncClient) -> None:
        for number in waiting:
            # Ten calls ask the same: they are ten records and one pair.
            text = f"question {number // 10}"
            body = {"model": "m", "messages": asked(text, number // 10 % 200)}
            answer = await client.post(f"{url}/v1/chat/completions", json=body)
            assert answer.status_code == 200
            done.append(text)

    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(limits=limits, timeout=120) as client:
        await asyncio.gather(*(one(client) for _ in range(clients)))
    return done


@pytest.mark.parametrize(
    ("clients", "calls"), [(10, 300), pytest.param(50, 5000, marks=pytest.mark.slow)]
)
def test_every_acknowledged_call_has_exactly_one_record(
    start: Start, home: Path, clients: int, calls: int
) -> None:
    proxy = start()
    done = asyncio.run(_many(proxy.url, clients, calls))
    assert len(done) == calls
    assert proxy.stop() == 0
    assert proxy.last["not_recorded"] == proxy.last["faults"] == 0
    with Store.open(home) as store:
        (records, keys, held) = store.connection.execute(
            "SELECT count(*), count(DISTINCT key), count(pair) FROM calls"
        ).fetchone()
        assert (records, keys, held) == (calls, calls, calls)
        assert store.count("ns") == calls // 10
        per_pair = store.connection.execute(
            "SELECT DISTINCT count(*) FROM calls GROUP BY pair"
        ).fetchall()
        assert per_pair == [(10,)]
    assert not list((home / "spool").rglob("*.calls"))


@pytest.mark.parametrize("moment", [0.3, pytest.param(1.2, marks=pytest.mark.slow), 2.0])
def test_sigkill_loses_nothing_that_a_client_saw_a_second_before(
    start: Start, home: Path, kolm: Kolm, moment: float
) -> None:
    proxy = start()
    seen: list[tuple[float, str]] = []
    begun = time.monotonic()

    def calls(worker: int) -> None:
        with httpx.Client(timeout=10) as client:
            for number in range(10_000):
                text = f"w{worker} n{number}"
                try:
                    body = {"model": "m", "messages": asked(text, number % 100)}
                    client.post(f"{proxy.url}/v1/chat/completions", json=body).raise_for_status()
                except httpx.HTTPError:
                    return
                seen.append((time.monotonic(), text))

    workers = [threading.Thread(target=calls, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    time.sleep(moment + 1)
    killed = time.monotonic()
    assert proxy.stop(signal.SIGKILL) == -signal.SIGKILL
    for worker in workers:
        worker.join()
    due = {text for when, text in seen if when < killed - 1}
    assert due or moment < 0.5
    assert begun < killed
    # The recorder ends by itself; what it did not store is in the spool, and check stores it.
    deadline = time.monotonic() + 30
    while True:
        assert kolm("capture", "check").code == 0
        with Store.open(home) as store:
            begun_storing = bool(store.connection.execute("SELECT 1 FROM namespaces").fetchone())
        found = pairs(home) if begun_storing else []
        stored = {pair.conversation.messages[0].text for pair in found}
        if due <= stored or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert due <= stored
    with Store.open(home) as store:
        (records, keys) = store.connection.execute(
            "SELECT count(*), count(DISTINCT key) FROM calls"
        ).fetchone()
    assert records == keys


def test_sigterm_drains_what_is_under_way(home: Path) -> None:
    slow = Upstream(1.0)
    proxy = Running(home, slow.url)
    answers: list[int] = []

    def call() -> None:
        url = f"{proxy.url}/v1/chat/completions"
        answers.append(httpx.post(url, json=request(), timeout=30).status_code)

    caller = threading.Thread(target=call)
    caller.start()
    time.sleep(0.4)
    assert proxy.stop() == 0
    caller.join()
    slow.close()
    assert answers == [200]
    assert len(pairs(home)) == 1
    assert proxy.last["event"] == "stopped"
    assert proxy.last["recorded"] == 1


def test_the_recorder_is_started_again_when_it_dies(start: Start, home: Path) -> None:
    import psutil

    proxy = start()
    url = f"{proxy.url}/v1/chat/completions"
    httpx.post(url, json=request(text="before")).raise_for_status()
    proxy.recorded(1)
    (child,) = psutil.Process(proxy.process.pid).children()
    child.kill()
    httpx.post(url, json=request(text="after")).raise_for_status()
    proxy.recorded(2)
    assert proxy.stop() == 0
    assert [pair.conversation.messages[0].text for pair in pairs(home)] == ["before", "after"]
    assert proxy.last["faults"] == 1


def test_a_full_disk_stops_the_recording_loudly_and_not_the_traffic(
    start: Start, home: Path
) -> None:
    def small_files() -> None:
        # No file may grow beyond this: for a process the same as a disk that is full.
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    proxy = start(preexec_fn=small_files)
    url = f"{proxy.url}/v1/chat/completions"
    with httpx.Client() as client:
        for number in range(150):
            body = request(text=f"{number} " + "x" * 20_000)
            assert client.post(url, json=body).status_code == 200
    report = proxy.until(lambda event: bool(event.get("trouble")))
    assert "cannot record" in report["trouble"]
    with httpx.Client() as client:
        assert client.post(url, json=request()).status_code == 200
    proxy.stop()
    assert proxy.last["recordable"] == 151
    assert proxy.last["trouble"]


def test_recording_goes_on_when_there_is_space_again(home: Path, tmp_path: Path) -> None:
    from kolm_cli.capture.proxy.recording import Recording
    from kolm_cli.capture.proxy.spool import Call, SpoolReader

    home.mkdir()
    recording = Recording(home, (), min_free=1 << 60)
    call = Call("k", "ns", 0, "/v1/messages", "", "", "", b"{}", b"{}")

    def settle() -> None:
        recording._thread.submit(lambda: None).result()

    recording.take(call)
    settle()
    assert recording.lost == 1
    assert "the disk is full" in recording.trouble
    recording._min_free = 0
    recording.take(call)
    settle()
    assert recording.trouble == ""
    assert SpoolReader(recording.folder).read(9, 999) == [call]
