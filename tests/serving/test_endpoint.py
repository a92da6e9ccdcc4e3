"""`kolm serve` as its own process, asked by the `openai` client."""

from __future__ import annotations

import base64
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.docs.pages import PAGES, blocks
from tests.support.jobs import Compiled


@pytest.fixture(scope="module")
def server(compiled: Compiled) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = compiled.job.start("serve", compiled.bundle, "--port", "0", "--json")
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.endswith("}\n"), process.communicate()
    said = json.loads(line)
    assert said["models"] == ["tiny", "qwen2_5_vl"]
    yield process, said["url"]
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def rows(compiled: Compiled) -> list[dict[str, Any]]:
    lines = (compiled.job.folder / "eval.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def asking(row: dict[str, Any], folder: Path) -> Any:
    data = base64.b64encode((folder / row["image"]).read_bytes()).decode()
    uri = f"data:image/png;base64,{data}"
    parts = [
        {"type": "image_url", "image_url": {"url": uri}},
        {"type": "text", "text": row["prompt"]},
    ]
    return [{"role": "user", "content": parts}]


def test_it_answers_as_it_was_scored_and_ends_at_once(
    server: tuple[subprocess.Popen[str], str], rows: list[dict[str, Any]], compiled: Compiled
) -> None:
    process, url = server
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=120)
    assert [model.id for model in client.models.list()] == ["tiny", "qwen2_5_vl"]
    unpacked = compiled.job.folder / "for-serving"
    assert compiled.job.kolm("unpack", compiled.bundle, unpacked).code == 0
    for model, file in (("tiny", "predictions"), ("qwen2_5_vl", "base_predictions")):
        lines = (unpacked / "eval" / f"{file}.jsonl").read_text().splitlines()
        for row, line in zip(rows, lines, strict=True):
            messages = asking(row, compiled.job.folder)
            answer = client.chat.completions.create(model=model, messages=messages)
            said = answer.choices[0].message.content or None
            assert said == json.loads(line)["prediction"]
    assert answer.usage is not None
    assert answer.usage.completion_tokens <= 4
    whole = client.chat.completions.create(model=compiled.report["cid"], messages=messages)
    pieces = client.chat.completions.create(model="tiny", messages=messages, stream=True)
    streamed = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert streamed.strip() == (whole.choices[0].message.content or "")
    with pytest.raises(openai.NotFoundError, match="ask one of: tiny, qwen2_5_vl"):
        client.chat.completions.create(model="other", messages=[])
    with pytest.raises(openai.BadRequestError, match="n: is not something"):
        client.chat.completions.create(model="tiny", messages=messages, n=2)
    messages[0]["content"][0]["image_url"]["url"] = "http://127.0.0.1/x.png"
    with pytest.raises(openai.BadRequestError, match="as a data URI"):
        client.chat.completions.create(model="tiny", messages=messages)
    as_documented(url, compiled.job.folder / rows[0]["image"])
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert not out
    assert "Interrupted." in err
    assert "Traceback" not in err


def as_documented(url: str, image: Path) -> None:
    """The client of docs/how-to/try-a-bundle.md."""
    page = next(page for page in PAGES if page.name == "try-a-bundle.md")
    (client,) = (block.text for block in blocks(page) if block.language == "python")
    changes = {"http://127.0.0.1:8000/v1": url, "chart.png": str(image), "chart-qa": "tiny"}
    for old, new in changes.items():
        assert old in client
        client = client.replace(old, new)
    done = subprocess.run([sys.executable, "-c", client], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\n")


def test_what_cannot_be_served(compiled: Compiled) -> None:
    kolm, bundle = compiled.job.kolm, compiled.bundle
    done = kolm("serve", bundle, "--host", "0.0.0.0", "--port", "0")  # noqa: S104
    assert done.code == 2
    assert "KOLM_SERVE_TOKEN" in done.err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = kolm("serve", bundle, "--port", taken.getsockname()[1])
    assert done.code == 5
    assert "cannot listen" in done.err
    done = kolm("serve", bundle, bundle, "--port", "0")
    assert done.code == 2
    assert "the same bundle once more" in done.err
    policy = compiled.job.folder / "nobody.toml"
    policy.write_text('format = "kolm-trust/1"\n')
    done = kolm("serve", bundle, "--port", "0", "--trust", policy)
    assert done.code == 4
    assert "--allow-untrusted" in done.err
