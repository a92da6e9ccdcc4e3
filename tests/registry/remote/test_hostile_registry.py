"""What a registry says is not believed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kolm_cli.bundle.build import Built
from kolm_cli.core.errors import InputError, KolmError, VerificationError
from kolm_cli.registry.check import check
from kolm_cli.registry.store import Registry
from kolm_cli.registry.transfer import pull
from tests.bundle import factory
from tests.registry.fake_registry import FakeRegistry
from tests.registry.helpers import bundle
from tests.registry.remote.helpers import QUIET, put, take


def test_the_policy_decides_before_anything_is_listed(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(built, fake)
    monkeypatch.setenv("KOLM_HOME", str(tmp_path / "other"))
    out = tmp_path / "b.kolm"
    with pytest.raises(VerificationError, match="trusted signatures"):
        pull(f"oci://{fake.host}/x:v1", out, factory.trusting(), QUIET)
    assert not out.exists()
    assert Registry().entries() == []


def test_a_corrupted_blob_is_refused(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(built, fake)
    for digest in fake.blobs:
        fake.corrupt = {digest}
        out = tmp_path / "b.kolm"
        with pytest.raises(VerificationError, match=f"not {digest[7:]}"):
            take(fake, out, monkeypatch)
        assert not out.exists()
        assert not check(Registry(), QUIET).problems
        assert not Registry().blobs.path(digest[7:]).exists()


def test_what_a_registry_says_is_not_believed(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = bundle(tmp_path / "other.kolm", 7)
    pushed, another = put(built, fake), put(other, fake, "x:other")
    good = dict(fake.manifests)

    def refused(name: str = "x:v1", *, out: Path = tmp_path / "never.kolm") -> str:
        with pytest.raises(KolmError) as caught:
            take(fake, out, monkeypatch, name)
        assert int(caught.value.exit_code) == 4, caught.value
        assert not out.exists()
        assert not Registry().entries()
        return str(caught.value)

    fake.manifests[built.cid] = good[another.digest]
    assert f"holds {other.cid}" in refused(f"x:{built.cid}")
    fake.manifests[pushed.digest] = good[another.digest]
    assert "digest" in refused(f"x@{pushed.digest}")
    fake.manifests = dict(good)
    fake.digest_header = another.digest
    assert "digest" in refused()
    with pytest.raises(VerificationError, match="the registry stored"):
        put(built, fake, "x:v9")
    fake.digest_header = ""
    for edit in (
        lambda d: d + b" " * (2 << 20),
        lambda d: b"{}",
        lambda d: b"[" * 100_000,
        lambda d: d.replace(b"spec.yaml", b"../x.yaml"),
        lambda d: d.replace(b"vnd.kolm.manifest.v1", b"vnd.oci.image.config.v1"),
        lambda d: d.replace(b'"size":', b'"size":-'),
        lambda d: d.replace(b"sha256:", b"sha512:"),
        lambda d: json.dumps({**json.loads(d), "layers": json.loads(d)["layers"][1:]}).encode(),
        lambda d: json.dumps({**json.loads(d), "layers": json.loads(d)["layers"][::-1]}).encode(),
    ):
        fake.edit_manifest = edit
        refused()
    fake.edit_manifest = lambda d: d
    del fake.blobs[next(d for d in fake.blobs if d[7:] in good[pushed.digest].decode())]
    assert "lacks the blob" in refused(out=tmp_path / "elsewhere.kolm")


def test_what_is_not_there_and_what_cannot_be_pushed_to_exit_2(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="is not there"):
        take(fake, tmp_path / "b.kolm", monkeypatch, "x:nothing")
    other = bundle(tmp_path / "other.kolm", 7)
    with pytest.raises(InputError, match=built.cid):
        put(built, fake, f"x:{other.cid}")
    with pytest.raises(InputError, match="cannot be pushed to"):
        put(built, fake, "x@sha256:" + "0" * 64)
    with pytest.raises(InputError, match="no tag"):
        take(fake, tmp_path / "b.kolm", monkeypatch, "x")
    assert fake.requests("PUT") == []
