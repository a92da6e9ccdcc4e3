"""Capture, review, split, compile, verify: the chain from the first link, through the commands."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.support.jobs import Job


def statement(bundle: Path, name: str) -> dict:
    with zipfile.ZipFile(bundle) as archive:
        envelope = json.loads(archive.read(f"attestations/{name}.sigstore.json"))["dsseEnvelope"]
    return json.loads(base64.b64decode(envelope["payload"]))


def test_the_chain_starts_at_capture_and_says_where_pairs_came_from(
    new_job: Callable[..., Job],
) -> None:
    job = new_job(
        rows=40,
        data={"train": "capture:shop@train:0.8", "eval": "capture:shop@eval:0.2"},
        train={"projector": "train"},
    )
    first = job.kolm("capture", "import", "train.jsonl", "--to", "shop", "--json")
    assert first.code == 0, first.err
    again = job.kolm("capture", "import", "train.jsonl", "--to", "shop")
    assert again.code == 0
    assert "40" in again.out + again.err
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    bundle = Path(done.json["bundle"])
    verified = job.kolm("verify", bundle, "--json")
    assert verified.code == 0, verified.out
    (chain,) = [check for check in verified.json["checks"] if check["name"] == "chain"]
    assert chain["detail"].startswith("capture")
    text = json.dumps(statement(bundle, "capture"))
    with zipfile.ZipFile(bundle) as archive:
        rows = [json.loads(line) for line in archive.read("data/train.jsonl").splitlines()]
        pack = [json.loads(line) for line in archive.read("eval/pack.jsonl").splitlines()]
    assert len(rows) + len(pack) == 40
    images = {image for row in rows for image in row["images"]}
    assert not images & {image for row in pack for image in row["images"]}
    assert "train.jsonl" in text, "where each pair came from"
    assert text.count('"sha256"') >= len(rows)
    assert "hue" not in text, "a prompt must not stand there"


def test_training_and_evaluating_on_one_image_is_an_error(new_job: Callable[..., Job]) -> None:
    job = new_job(data={"train": "capture:shop", "eval": "capture:shop"})
    assert job.kolm("capture", "import", "train.jsonl", "--to", "shop").code == 0
    done = job.kolm("validate", "spec.yaml", "--json")
    assert done.code == 2
    problems = done.json["error"]["problems"]
    assert len(problems) == 16
    assert all("also in the training row" in problem["what"] for problem in problems)
