"""`compile` stores its bundle in the registry, and finds it there again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.progress import Silent
from kolm_cli.pipeline.inputs import gather
from kolm_cli.registry.check import check
from kolm_cli.registry.names import ContentId, Tag
from kolm_cli.registry.store import Registry
from tests.support.jobs import Compiled, Job


@pytest.fixture
def registry(compiled: Compiled) -> Registry:
    return Registry(compiled.job.home / "registry")


def test_the_bundle_is_in_the_registry_and_nowhere_twice(
    compiled: Compiled, registry: Registry, tmp_path: Path
) -> None:
    entry = registry.resolve(Tag("tiny", "latest"))
    assert entry.cid == compiled.report["cid"]
    assert not check(registry, Silent()).problems
    assert not list(compiled.job.home.glob("results/**/*.kolm"))
    out = tmp_path / "pulled.kolm"
    done = compiled.job.kolm("pull", "tiny:latest", "--out", out, "--json")
    assert done.code == 0, done.err
    assert done.json["state"] == "trusted", "its own key is trusted where it was made"
    assert out.read_bytes() == compiled.bundle.read_bytes()


def test_an_earlier_result_comes_from_the_registry_byte_for_byte_and_soon(
    compiled: Compiled, tmp_path: Path
) -> None:
    out = tmp_path / "again.kolm"
    begun = time.monotonic()
    done = compiled.job.kolm("compile", "spec.yaml", "--out", out, "--json")
    seconds = time.monotonic() - begun
    assert done.json["cached"] is True, done.err
    assert out.read_bytes() == compiled.bundle.read_bytes()
    assert seconds < 10, "a busy machine; docs promise 2 s on an idle one"


def test_a_damaged_result_is_made_anew_and_never_delivered(
    own_compiled: Compiled, tmp_path: Path
) -> None:
    registry = Registry(own_compiled.job.home / "registry")
    image = registry.image(registry.resolve(Tag("tiny", "latest")))
    (file,) = (f for f in image.files if f.path == "adapter/adapter_model.safetensors")
    weights = registry.blobs.path(file.hex)
    cid = own_compiled.report["cid"]
    for damage in (lambda: weights.write_bytes(b"x" * weights.stat().st_size), weights.unlink):
        damage()
        out = tmp_path / "again.kolm"
        done = own_compiled.job.kolm("compile", "spec.yaml", "--out", out, "--json")
        assert done.code == 0, done.err
        assert (done.json["cached"], done.json["cid"]) == (False, cid)
        assert own_compiled.job.kolm("verify", out).code == 0
        assert not check(registry, Silent()).problems, "the new bundle's push healed it"
        assert registry.resolve(ContentId(cid)).cid == cid
    index = json.loads((registry.root / "index.json").read_bytes())
    assert len({m["annotations"]["dev.kolm.cid"] for m in index["manifests"]}) == 1


@pytest.mark.parametrize(
    "change",
    [{"launch": {"device": "cuda", "threads": 3}}, {"evaluate": {"gate": {"accuracy": 0.0}}}],
)
def test_what_a_bundle_holds_of_the_spec_names_the_result(
    new_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    """On a GPU threads decide neither weights nor answers; the bundle holds them all the same."""
    job = new_job(launch={"device": "cuda"})
    monkeypatch.setenv("KOLM_HOME", str(job.home))
    before = gather(job.spec).keys
    job.write_spec(**{"launch": {"device": "cuda"}, **change})
    after = gather(job.spec).keys
    assert before.evaluation == after.evaluation
    assert before.result != after.result
    job.write_spec(launch={"device": "cuda"}, bundle={"out": "elsewhere/"})
    assert gather(job.spec).keys == before
