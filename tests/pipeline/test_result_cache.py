"""`compile` stores its bundle in the registry, and finds it there again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.bundle.signing import keys
from kolm_cli.core.progress import Silent
from kolm_cli.core.seals import is_sealed
from kolm_cli.pipeline.inputs import gather
from kolm_cli.registry.check import check
from kolm_cli.registry.names import ContentId, Tag
from kolm_cli.registry.store import Registry
from tests.bundle import factory
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


def _poisons(own: Compiled, stranger: str) -> dict[str, Callable[[dict[str, Any]], object]]:
    """What may stand in the entry of a result instead."""
    report = own.report
    return {
        "another CID": lambda entry: entry["report"].update(cid=report["cid"][::-1]),
        "a gate that was met": lambda entry: entry["report"]["gate"].update(passed=True),
        "a gate of another type": lambda entry: entry["report"].update(gate=[]),
        "another receipt": lambda entry: entry["report"].update(receipt={}),
        "another name": lambda entry: entry.update(name="other"),
        "a bundle of a stranger's": lambda entry: entry.update(image=stranger),
    }


def test_an_entry_of_another_bundle_is_no_result(own_compiled: Compiled, tmp_path: Path) -> None:
    """A bundle that missed its gate is never delivered as one that met it, whatever is kept."""
    job = own_compiled.job
    job.write_spec(evaluate={"gate": {"accuracy": 1.0}})
    first = job.kolm("compile", "spec.yaml", "--json")
    assert (first.code, first.json["cached"]) == (3, False), first.err
    (entry,) = (
        path
        for path in job.home.glob("results/*.json")
        if not json.loads(path.read_bytes())["report"]["gate"]["passed"]
    )
    kept = entry.read_bytes()
    registry = Registry(job.home / "registry")
    factory.make_bundle(tmp_path / "s.kolm", keys.generate())
    stranger = registry.push(tmp_path / "s.kolm", None, Silent()).entry.digest
    good = registry.resolve(Tag("tiny", "latest")).cid
    for name, poison in _poisons(own_compiled, stranger).items():
        poisoned = json.loads(kept)
        poison(poisoned)
        entry.write_text(json.dumps(poisoned))
        out = tmp_path / "out" / "a.kolm"
        again = job.kolm("compile", "spec.yaml", "--out", out, "--json")
        assert (again.code, again.json["cached"], out.exists()) == (3, False, False), name
        assert registry.resolve(Tag("tiny", "latest")).cid == good, name
    entry.unlink()
    os.mkfifo(entry)
    assert job.kolm("compile", "spec.yaml", "--json").json["cached"] is False
    assert job.kolm("compile", "spec.yaml", "--json").json["cached"] is True


def test_what_is_put_into_a_finished_run_is_not_bundled(own_compiled: Compiled) -> None:
    """Neither a further file nor a pipe: what was trained is what its seal names."""
    (trained,) = own_compiled.job.home.glob("runs/*/trained")
    assert is_sealed(trained)
    for name, make in {"a.json": Path.touch, "b.json": os.mkfifo}.items():
        path = trained / "processor" / name
        make(path)
        assert not is_sealed(trained)
        path.unlink()
    (trained / "processor" / "c.json").symlink_to(trained)
    assert not is_sealed(trained)
