"""Push, pull, ls, tag, rm, gc and check, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.file import add_key, trust_path
from kolm_cli.core.digests import digest_from_cid
from kolm_cli.core.errors import InputError, VerificationError
from kolm_cli.core.progress import Silent
from kolm_cli.registry.check import check
from kolm_cli.registry.collect import collect
from kolm_cli.registry.names import ContentId, Pinned, Tag
from kolm_cli.registry.pull import pull
from kolm_cli.registry.store import Registry
from tests.bundle import factory
from tests.registry.helpers import assert_oci_layout, bundle
from tests.support.command import kolm

QUIET = Silent()


@pytest.fixture
def signer() -> keys.Signer:
    """A key that is trusted here."""
    made = keys.generate()
    add_key(trust_path(), factory.trusting(made).keys[0])
    return made


def test_a_pull_gives_the_very_bytes_by_every_name(tmp_path: Path, signer: keys.Signer) -> None:
    built = bundle(tmp_path / "a.kolm", signer=signer)
    pushed = kolm("push", built.path, "chart:v1", "--json")
    assert pushed.code == 0, pushed.err
    assert pushed.json["cid"] == built.cid
    assert pushed.json["refs"] == [built.cid, "chart:v1"]
    digest = pushed.json["digest"]
    for name in ("chart:v1", built.cid, f"chart@{digest}", f"tiny-chart@{digest}"):
        done = kolm("pull", name, "--out", tmp_path / "b.kolm", "--json")
        assert done.code == 0, done.err
        assert done.json == {
            "path": str(tmp_path / "b.kolm"), "cid": built.cid, "digest": digest,
            "state": "trusted",
        }  # fmt: skip
        assert (tmp_path / "b.kolm").read_bytes() == built.path.read_bytes()
        (tmp_path / "b.kolm").unlink()
    assert kolm("pull", "chart:v1", cwd=tmp_path).code == 0
    assert (tmp_path / "tiny-chart.kolm").read_bytes() == built.path.read_bytes()


def test_the_layout_is_ocis_and_the_config_is_the_manifest(tmp_path: Path, home: Path) -> None:
    built = bundle(tmp_path / "a.kolm")
    Registry().push(built.path, Tag("chart", "v1"), QUIET)
    assert_oci_layout(home / "registry")
    index = json.loads((home / "registry" / "index.json").read_bytes())
    blobs = home / "registry" / "blobs" / "sha256"
    names = [m["annotations"]["org.opencontainers.image.ref.name"] for m in index["manifests"]]
    assert sorted(names) == sorted([built.cid, "chart:v1"])
    (digest,) = {m["digest"] for m in index["manifests"]}
    image = json.loads((blobs / digest.removeprefix("sha256:")).read_bytes())
    assert image["config"]["digest"] == f"sha256:{digest_from_cid(built.cid)}"


def test_an_adapter_that_bundles_share_is_stored_once(tmp_path: Path) -> None:
    registry = Registry()
    first = registry.push(bundle(tmp_path / "a.kolm", 1).path, None, QUIET)
    second = registry.push(bundle(tmp_path / "b.kolm", 2).path, None, QUIET)
    with_new = second.written
    assert first.entry.cid != second.entry.cid
    assert second.present >= 10
    assert with_new < first.written
    weights = [
        file.digest
        for stored in (first, second)
        for file in registry.image(stored.entry).files
        if file.path == "adapter/adapter_model.safetensors"
    ]
    assert len(weights) == 2
    assert len(set(weights)) == 1


def test_what_is_not_trusted_or_damaged_is_not_pulled(tmp_path: Path) -> None:
    built = bundle(tmp_path / "a.kolm")
    kolm("push", built.path, "chart:v1")
    out = tmp_path / "b.kolm"
    out.write_bytes(b"before")
    refused = kolm("pull", "chart:v1", "--out", out, "--json")
    assert refused.code == 4
    assert "policy" in refused.json["error"]["problems"][0]["where"]
    assert out.read_bytes() == b"before"
    assert kolm("pull", "chart:v1", "--out", out, "--allow-untrusted").code == 0
    assert out.read_bytes() == built.path.read_bytes()
    damaged = tmp_path / "bad.kolm"
    data = bytearray(built.path.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    before = Registry().index()
    assert kolm("push", damaged, "chart:v1").code == 4
    assert Registry().index() == before


def test_a_policy_for_other_names_refuses(tmp_path: Path) -> None:
    signer = keys.generate()
    built = bundle(tmp_path / "a.kolm", signer=signer)
    registry = Registry()
    registry.push(built.path, Tag("x", "1"), QUIET)
    policy = factory.trusting(signer, names=["other-*"])
    with pytest.raises(VerificationError, match="may sign other"):
        pull(registry, Tag("x", "1"), tmp_path / "b.kolm", policy, QUIET)
    assert not (tmp_path / "b.kolm").exists()
    policy = factory.trusting(signer, names=["tiny-*"])
    assert pull(registry, Tag("x", "1"), tmp_path / "b.kolm", policy, QUIET).state == "trusted"


def test_tags_move_and_cids_do_not(tmp_path: Path) -> None:
    registry = Registry()
    one, two = (bundle(tmp_path / f"{n}.kolm", n) for n in (1, 2))
    registry.push(one.path, Tag("x", "latest"), QUIET)
    registry.push(two.path, Tag("x", "latest"), QUIET)
    assert registry.resolve(Tag("x", "latest")).cid == two.cid
    assert registry.resolve(ContentId(one.cid)).cid == one.cid
    done = kolm("tag", one.cid, "x:latest", "--json")
    assert done.json["cid"] == one.cid
    assert registry.resolve(Tag("x", "latest")).cid == one.cid
    assert registry.resolve(ContentId(two.cid)).cid == two.cid


def test_other_signatures_under_one_cid_are_kept(tmp_path: Path) -> None:
    registry = Registry()
    one, two = (bundle(tmp_path / f"{n}.kolm", 1) for n in (1, 2))
    assert one.cid == two.cid
    first = registry.push(one.path, None, QUIET).entry
    second = registry.push(two.path, None, QUIET).entry
    assert first.digest != second.digest
    assert registry.resolve(ContentId(one.cid)).digest == second.digest
    assert registry.resolve(Pinned("tiny-chart", first.digest)).digest == first.digest
    collect(registry)
    for entry, built in ((first, one), (second, two)):
        out = tmp_path / "out.kolm"
        name = Pinned("tiny-chart", entry.digest)
        pull(registry, name, out, factory.trusting(), QUIET, allow_untrusted=True)
        assert out.read_bytes() == built.path.read_bytes()
    registry.remove(Pinned("tiny-chart", second.digest))
    assert registry.resolve(ContentId(one.cid)).digest == first.digest


def test_rm_and_gc_remove_what_nothing_names(tmp_path: Path) -> None:
    registry = Registry()
    one, two = (bundle(tmp_path / f"{n}.kolm", n) for n in (1, 2))
    registry.push(one.path, Tag("x", "1"), QUIET)
    registry.push(two.path, Tag("x", "2"), QUIET)
    still = kolm("rm", one.cid)
    assert still.code == 2
    assert "x:1" in still.err
    assert kolm("rm", "x:1", "--json").json["removed"][0]["cid"] == one.cid
    assert collect(registry).blobs == 0, "the CID still names it"
    dry = kolm("gc", "--untagged", "--dry-run", "--json").json
    assert dry["removed"] == [one.cid]
    assert registry.resolve(ContentId(one.cid))
    done = kolm("gc", "--untagged", "--json").json
    assert done["removed"] == [one.cid]
    assert done["blobs"] == dry["blobs"] > 0
    with pytest.raises(InputError):
        registry.resolve(ContentId(one.cid))
    pull(registry, Tag("x", "2"), tmp_path / "o", factory.trusting(), QUIET, allow_untrusted=True)
    assert kolm("rm", two.cid, "--force").code == 0
    assert collect(registry).kept == 0
    assert kolm("ls", "--json").json == []


def test_every_command_prints_the_cid(tmp_path: Path) -> None:
    built = bundle(tmp_path / "a.kolm")
    for arguments in (
        ["push", built.path, "x:1"],
        ["pull", "x:1", "--out", tmp_path / "b.kolm", "--allow-untrusted"],
        ["ls"],
        ["tag", "x:1", "x:2"],
        ["registry", "check"],
        ["diff", "x:1", "x:2"],
        ["rm", "x:1"],
        ["rm", "x:2"],
        ["gc", "--untagged"],
    ):
        done = kolm(*arguments)
        assert done.code == 0, done.err
        assert built.cid in done.out, arguments


def test_names_that_are_not_there_exit_2(home: Path) -> None:
    for name in ("x:1", "bafkreiablk6x6xgfpiw5ss3vsdyevwaiijzzaxxdh3c45pvomitwvf7ymi"):
        assert kolm("pull", name).code == 2
    assert kolm("ls", "--json").json == []
    assert not (home / "registry").exists(), "looking must not make a registry"


@pytest.mark.parametrize("what", ["change", "truncate", "remove"])
def test_a_damaged_blob_is_found_and_a_push_heals_it(what: str, tmp_path: Path, home: Path) -> None:
    built = bundle(tmp_path / "a.kolm")
    registry = Registry()
    entry = registry.push(built.path, Tag("x", "1"), QUIET).entry
    assert kolm("registry", "check").code == 0
    (weights,) = (f for f in registry.image(entry).files if f.path.endswith("_model.safetensors"))
    path = registry.blobs.path(weights.hex)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    if what == "change":
        path.write_bytes(data)
    elif what == "truncate":
        path.write_bytes(data[:100])
    else:
        path.unlink()
    checked = kolm("registry", "check", "--json")
    assert checked.code == 4
    assert weights.hex in json.dumps(checked.json["problems"])
    out = tmp_path / "b.kolm"
    pulled = kolm("pull", "x:1", "--out", out, "--allow-untrusted")
    assert pulled.code == 4
    assert weights.hex in pulled.err
    assert list(tmp_path.glob("*.tmp")) == []
    assert not out.exists()
    assert registry.push(built.path, None, QUIET).written == 1
    assert kolm("registry", "check").code == 0


def test_check_names_a_lost_index_and_nothing_overwrites_it(tmp_path: Path, home: Path) -> None:
    built = bundle(tmp_path / "a.kolm")
    Registry().push(built.path, Tag("x", "1"), QUIET)
    index = home / "registry" / "index.json"
    good = index.read_bytes()
    for content in (b"", b"{", b'{"manifests": 3}', None):
        index.unlink()
        if content is not None:
            index.write_bytes(content)
        for command in (["registry", "check"], ["push", built.path, "x:2"], ["gc"]):
            assert kolm(*command).code == 4, (content, command)
        assert (index.read_bytes() if index.exists() else None) == content
        index.write_bytes(good)
    assert kolm("registry", "check").code == 0


def test_what_other_programs_put_there_stays(tmp_path: Path, home: Path) -> None:
    registry = Registry()
    registry.push(bundle(tmp_path / "a.kolm").path, None, QUIET)
    blobs = home / "registry" / "blobs" / "sha256"
    from kolm_cli.core.digests import sha256_bytes

    layer, config = b"a layer", b"{}"
    image = json.dumps(
        {
            "schemaVersion": 2,
            "config": {"mediaType": "x/y", "digest": f"sha256:{sha256_bytes(config)}", "size": 2},
            "layers": [{"mediaType": "x/y", "digest": f"sha256:{sha256_bytes(layer)}", "size": 7}],
        }
    ).encode()
    for data in (layer, config, image, b"nobody needs this"):
        (blobs / sha256_bytes(data)).write_bytes(data)
    index = json.loads((home / "registry" / "index.json").read_bytes())
    foreign = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": f"sha256:{sha256_bytes(image)}",
        "size": len(image),
    }
    index["manifests"].append(foreign)
    (home / "registry" / "index.json").write_text(json.dumps(index))
    registry.push(bundle(tmp_path / "b.kolm", 2).path, Tag("x", "1"), QUIET)
    assert collect(registry, untagged=True).blobs >= 2
    left = {path.name for path in blobs.iterdir()}
    assert {sha256_bytes(data) for data in (layer, config, image)} <= left
    assert sha256_bytes(b"nobody needs this") not in left
    assert foreign in json.loads((home / "registry" / "index.json").read_bytes())["manifests"]
    assert not check(registry, QUIET).problems
