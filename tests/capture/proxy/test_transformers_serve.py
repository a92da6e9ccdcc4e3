"""The proxy in front of `transformers serve`, which serves the demo's tiny base."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import kolm_cli.demo
from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.demo import charts
from kolm_cli.records.pictures import encode_png
from tests.capture.proxy.helpers import Running

pytestmark = pytest.mark.slow


def test_calls_to_transformers_serve_become_pairs(home: Path, tmp_path: Path) -> None:
    import openai

    base = Path(kolm_cli.demo.__file__).parent / "base"
    chart = charts.sample_chart(charts.random_source(5), charts.STYLE_A)
    picture = encode_png(charts.draw(chart))
    uri = "data:image/png;base64," + base64.b64encode(picture).decode()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = Path(sys.executable).with_name("transformers")
    log = (tmp_path / "serve.log").open("w")
    server = subprocess.Popen(
        [command, "serve", base, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=log,
        stderr=log,
    )
    proxy = Running(home, f"http://127.0.0.1:{port}/v1")
    try:
        client = openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="x", max_retries=0, timeout=120)

        def ask(question: str, stream: bool) -> str:
            parts = [
                {"type": "image_url", "image_url": {"url": uri}},
                {"type": "text", "text": question},
            ]
            answer = client.chat.completions.create(
                model=str(base),
                messages=[{"role": "user", "content": parts}],  # type: ignore[misc, list-item]
                max_tokens=12,
                stream=stream,
            )
            if stream:
                return "".join(chunk.choices[0].delta.content or "" for chunk in answer)  # type: ignore[union-attr]
            return answer.choices[0].message.content or ""  # type: ignore[union-attr]

        deadline = time.monotonic() + 120
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, (tmp_path / "serve.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.5)
        asked = {
            "Which bar is the tallest?": False,
            "Which bar is the shortest?": True,
            "Write out the chart.": True,
        }
        said = {question: ask(question, stream) for question, stream in asked.items()}
        # The base can read a chart of this style, so that there is something to record.
        assert said["Which bar is the tallest?"].strip() == chart.longest.label
        report = proxy.recorded(3)
        assert report["pairs"] == 3, (report["last"], said)
        assert proxy.stop() == 0
    finally:
        proxy.process.kill()
        server.terminate()
        server.wait(timeout=30)
        log.close()
    with Store.open() as store:
        found = list(store.pairs("ns"))
    assert {p.conversation.messages[0].text: p.conversation.response for p in found} == said
    for pair in found:
        assert pair.conversation.images == (sha256_bytes(picture),)
        assert str(base) in pair.model
