"""A call that cannot be turned into a pair is set aside with its reason, and stops no other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from kolm_cli.capture.proxy.call_store import CallStore
from kolm_cli.capture.proxy.calls import CallReader
from kolm_cli.capture.proxy.fetch import Fetcher
from kolm_cli.capture.proxy.recorder import Recorder, recover
from kolm_cli.capture.proxy.spool import Call, Spool, new_spool
from kolm_cli.capture.store import Store
from tests.capture.helpers import Kolm
from tests.capture.proxy.helpers import Start, pairs, request

ANSWER = {"model": "m", "choices": [{"finish_reason": "stop", "message": {
    "role": "assistant", "content": "seven"}}]}  # fmt: skip


def call(key: str, asked: object, answered: object = ANSWER) -> Call:
    def packed(value: object) -> bytes:
        return value if isinstance(value, bytes) else json.dumps(value).encode()

    body, reply = packed(asked), packed(answered)
    kind = "application/json"
    return Call(key, "ns", 1, "/v1/chat/completions", "", "", kind, body, reply)


def deep(levels: int) -> dict[str, Any]:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return {**request(), "metadata": value}


def with_url(url: str) -> dict[str, Any]:
    asked = request()
    asked["messages"][0]["content"][1]["image_url"]["url"] = url
    return asked


HOSTILE: dict[str, tuple[object, object]] = {
    "deep": (deep(700), ANSWER),
    "deeper": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", ANSWER),
    "deep answer": (request(), {**ANSWER, "x": deep(700)}),
    "surrogate in model": (request(model="\ud800"), {**ANSWER, "model": "\ud800"}),
    "surrogate in url": (with_url("http://\udfff.example/a.png"), ANSWER),
    "surrogate in path": (with_url("\udfff" * 60), ANSWER),
    "surrogate in text": (request(text="\ud8ff"), ANSWER),
    "null in url": (with_url("http://a\0b/"), ANSWER),
    "no JSON": (b"\xff\xfe", b"<html>"),
    "numbers": (b'{"messages": [1e999, {"role": 1e999}]}', ANSWER),
    "long integer": (b'{"n": ' + b"9" * 5000 + b"}", ANSWER),
    "odd choices": (request(), {"choices": {"0": 1}}),
    "odd message": (request(), {"choices": [{"message": 5}]}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_call_stops_the_next_ones(kind: str, home: Path) -> None:
    folder = new_spool(home)
    spool = Spool(folder)
    spool.append(call("a" * 32, request(text="before")))
    spool.append(call("b" * 32, *HOSTILE[kind]))
    for number in range(3):
        spool.append(call(f"{number:032d}", request(text=f"after {number}")))
    with Store.open(home) as store:
        assert recover(store, CallReader(Fetcher((".example",)))) == 5
    # What is deep where nothing is read disturbs nothing.
    assert len(pairs(home)) == 4 + (kind == "deep answer")
    assert not folder.exists()


def test_set_aside_is_listed_and_can_be_retried(home: Path, kolm: Kolm) -> None:
    folder = new_spool(home)
    spool = Spool(folder)
    spool.append(call("a" * 32, deep(700)))
    spool.append(call("b" * 32, request(model="\ud800"), {**ANSWER, "model": "\ud800"}))
    done = kolm("capture", "check", "--json")
    assert (done.code, done.json["set_aside"]) == (0, 2)
    listed = kolm("capture", "calls", "--json").json["calls"]
    reasons = {one["reason"] for one in listed}
    assert any("surrogate" in reason for reason in reasons)
    assert any("deep" in reason for reason in reasons)
    assert kolm("capture", "stats", "ns", "--json").json["calls_without_pair"].keys() == reasons
    again = kolm("capture", "calls", "--retry", "--json").json
    assert (again["stored"], len(again["calls"])) == (0, 2)
    # What was at fault is mended: here the reader, by a reader of the mended call.
    with Store.open(home) as store:
        calls = CallStore(store, _Mended(Fetcher()))
        assert calls.retry() == 2
    assert kolm("capture", "calls", "--json").json["calls"] == []
    assert len(pairs(home)) == 1
    assert kolm("capture", "stats", "ns", "--json").json["calls"] == {"all": 2, "with_pair": 2}


class _Mended(CallReader):
    def read(self, call_: Call) -> Any:
        return super().read(call("", request()))


def test_set_aside_is_private_and_can_be_discarded(home: Path, kolm: Kolm) -> None:
    Spool(new_spool(home)).append(call("a" * 32, deep(700)))
    kolm("capture", "check")
    (file,) = (home / "set-aside").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert kolm("capture", "calls", "--discard").code == 0
    assert not (home / "set-aside").exists()
    assert kolm("capture", "calls", "--retry", "--discard").code == 2


def test_a_call_that_kills_its_reader_is_set_aside_too(home: Path) -> None:
    """As a decoder's fault or the kernel's want of memory would: again and again."""
    folder = new_spool(home)
    spool = Spool(folder)
    for number in range(5):
        spool.append(call(f"{number:032d}", request(text="deadly" if number == 2 else str(number))))
    script = (
        "import os, sys, pathlib\n"
        "from kolm_cli.capture.proxy import recorder\n"
        "from kolm_cli.capture.proxy.calls import CallReader\n"
        "old = CallReader.read\n"
        "def read(self, call):\n"
        "    if b'deadly' in call.request: os.kill(os.getpid(), 9)\n"
        "    return old(self, call)\n"
        "CallReader.read = read\n"
        "from kolm_cli.capture.store import Store\n"
        "from kolm_cli.capture.proxy.fetch import Fetcher\n"
        "with Store.open(pathlib.Path(sys.argv[1])) as store:\n"
        "    recorder.recover(store, CallReader(Fetcher()))\n"
    )
    deaths = 0
    run = [sys.executable, "-c", script, str(home)]
    while subprocess.run(run, env=dict(os.environ), check=False).returncode == -signal.SIGKILL:
        deaths += 1
        assert deaths < 6
    assert len(pairs(home)) == 4
    with Store.open(home) as store:
        (kept,) = CallStore(store, CallReader(Fetcher())).aside
    assert "ended each time" in kept.reason


def test_one_killed_reader_costs_no_call(home: Path) -> None:
    folder = new_spool(home)
    Spool(folder).append(call("a" * 32, request()))
    (folder / "under-way").write_text(json.dumps({"keys": ["a" * 32], "left": [], "deaths": {}}))
    with Store.open(home) as store:
        recorder = Recorder(store, folder, CallReader(Fetcher()))
        assert recorder.step()
        assert recorder.calls.report["pairs"] == 1


def test_the_proxy_goes_on_recording_and_says_what_it_set_aside(start: Start, home: Path) -> None:
    proxy = start()
    with httpx.Client(base_url=proxy.url) as client:
        for asked in (deep(700), with_url("http://\udfff.example/a.png"), request()):
            content = json.dumps(asked).encode()
            headers = {"content-type": "application/json"}
            assert client.post("/v1/chat/completions", content=content, headers=headers).is_success
    report = proxy.recorded(3)
    assert report["set_aside"] >= 1
    assert report["pairs"] >= 1
    assert report["faults"] == 0
    assert report["trouble"] == ""
