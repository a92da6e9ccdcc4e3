"""Why calls have no pair: the proxy's log says it while it runs, and `capture stats` afterwards."""

from __future__ import annotations

from pathlib import Path

import httpx

from kolm_cli.capture.proxy.recording import Recording
from kolm_cli.capture.stats import stats
from kolm_cli.capture.store import Store
from tests.capture.helpers import Kolm
from tests.capture.proxy.helpers import Start, request, uri


def test_the_log_and_stats_say_the_reasons(start: Start, home: Path, kolm: Kolm) -> None:
    proxy = start()
    file = request()
    file["messages"][0]["content"][1]["image_url"]["url"] = "/etc/hostname"
    asked = {"model": "m", "input": "q", "previous_response_id": "resp_0"}
    with httpx.Client(base_url=proxy.url) as client:
        for _ in range(2):
            assert client.post("/v1/chat/completions", json=file).status_code == 200
        assert client.post("/v1/responses", json=asked).status_code == 200
        assert client.post("/v1/chat/completions", json=request()).status_code == 200
    report = proxy.recorded(4)
    (most, two), (least, one) = report["reasons"].items()
    assert (two, one) == (2, 1)
    assert "no such image file: /etc/hostname" in most
    assert "previous_response_id" in least
    with Store.open(home) as store:
        (namespace,) = [summary.name for summary in store.namespaces()]
        assert stats(store, namespace)["calls_without_pair"] == report["reasons"]
    said = kolm("capture", "stats", namespace)
    assert f"no pair   2 x {most}" in said.out
    assert uri(1) not in said.out


def test_reasons_survive_a_recorder_that_is_started_anew(home: Path) -> None:
    recording = Recording(home, ())
    recording._merge({"calls": 3, "reasons": {"a": 2, "b": 1}}, {})
    recording._merge({"calls": 1, "reasons": {"b": 4}}, recording._totals())
    assert recording.stored == {"calls": 4, "reasons": {"b": 5, "a": 2}}
