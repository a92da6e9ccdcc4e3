"""`kolm publish`, against a local stand-in for the hub: what arrives, and what is said when not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.pipeline.fake_hub import FakeHub, serving
from tests.support.command import Done
from tests.support.jobs import Compiled


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with serving() as fake:
        yield fake


def publish(compiled: Compiled, hub: FakeHub, *options: str, **env: str) -> Done:
    variables = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    variables |= {"HF_TOKEN": hub.token, "HF_HOME": str(compiled.job.folder / "hf")} | env
    return compiled.job.kolm_process("publish", compiled.bundle, "me/x", *options, **variables)


def test_what_arrives(compiled: Compiled, hub: FakeHub, tmp_path: Path) -> None:
    done = publish(compiled, hub, "--with-bundle", "--json")
    assert done.code == 0, done.err
    report = compiled.report
    assert done.json["cid"] == report["cid"]
    assert done.json["private"] is hub.private is True
    assert hub.messages == [f"kolm bundle {report['cid']}"]
    card = hub.files["README.md"].decode()
    _, front, text = card.split("---\n", 2)
    said = yaml.safe_load(front)
    assert said["library_name"] == "peft"
    [result] = said["model-index"][0]["results"]
    assert result["metrics"] == [
        {"name": "accuracy", "type": "exact_match", "value": report["accuracy"]}
    ]
    for words in (
        f"- accuracy: {report['accuracy']:.4f} (every row scored alike)",
        "- training: 16 rows, sha256 `",
        "- base weights: `model.safetensors`, sha256 `",
        f"kolm verify tiny.kolm --cid {report['cid']}",
    ):
        assert words in text, words
    # Whoever downloads it can check it.
    folder = tmp_path / "downloaded"
    for name, data in hub.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "tiny.kolm").rename(tmp_path / "tiny.kolm")
    assert (tmp_path / "tiny.kolm").read_bytes() == compiled.bundle.read_bytes()
    same = compiled.job.kolm("verify", tmp_path / "tiny.kolm", "--export", folder)
    assert same.code == 0, same.out + same.err


def test_a_token_that_is_not_allowed(compiled: Compiled, hub: FakeHub) -> None:
    done = publish(compiled, hub, "--json", HF_TOKEN="hf_other")
    assert done.code == 5
    assert "the hub refused: " in done.err
    assert json.loads(done.out)["error"]["exit_code"] == 5
    assert "hf_other" not in done.err + done.out
    assert hub.files == {}


def test_what_cannot_be_published(compiled: Compiled) -> None:
    for wrong in ("x", "a/b/c", "a/b c", "a/..b"):
        done = compiled.job.kolm("publish", compiled.bundle, wrong)
        assert done.code == 2, done.err
        assert "is no repository of the hub" in done.err
    done = compiled.job.kolm("publish", compiled.bundle, "me/x")
    assert done.code == 5
    assert "HF_HUB_OFFLINE is set" in done.err


def test_a_hub_that_cannot_be_reached(compiled: Compiled) -> None:
    done = compiled.job.kolm_process(
        "publish", compiled.bundle, "me/x", HF_HUB_OFFLINE="0", HF_ENDPOINT="http://127.0.0.1:9"
    )
    assert done.code == 5, done.err
    assert "the hub cannot be reached" in done.err
