"""Manifests that are not what the format says, or not this bundle's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundle import factory
from tests.bundle.checks.helpers import edited, replaced
from tests.bundle.forge import assert_refused, files_of, good, pack, verdict

MANIFESTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "duplicate key": (replaced(b'"name":', b'"name":"other","name":'), "occurs twice"),
    "NaN": (replaced(b'"size":', b'"size":NaN,"siz":'), "NaN is not JSON"),
    "Infinity": (replaced(b'"size":', b'"size":Infinity,"siz":'), "Infinity is not JSON"),
    "huge number": (replaced(b'"size":', b'"size":99999999999999999999,"x":'), "beyond 2^53"),
    "float": (edited(lambda v: v["files"][0].update(size=1.5)), "the size 1.5"),
    "deep nesting": (lambda _: b"[" * 5000 + b"]" * 5000, "nested deeper"),
    "deep nesting in objects": (lambda _: b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested deeper"),
    "white space": (replaced(b":", b": "), "canonical form"),
    "another order of keys": (
        lambda d: json.dumps(dict(reversed(json.loads(d).items())), separators=(",", ":")).encode(),
        "canonical form",
    ),
    "an escape that is not needed": (replaced(b'"tiny-chart"', b'"\\u0074iny-chart"'), "canonical"),
    "half a surrogate pair": (replaced(b'"tiny-chart"', b'"\\ud800"'), "surrogate"),
    "byte order mark": (lambda d: b"\xef\xbb\xbf" + d, "BOM"),
    "not UTF-8": (replaced(b"tiny-chart", b"tiny\xffchart"), "not UTF-8"),
    "trailing bytes": (lambda d: d + b"\n", "canonical form"),
    "not an object": (lambda _: b"[]", "not exactly the keys"),
    "no bytes": (lambda _: b"", "line 1"),
    "unknown key": (edited(lambda v: v.update(extra=1)), "not exactly the keys"),
    "no name": (edited(lambda v: v.pop("name")), "not exactly the keys"),
    "a name that leads elsewhere": (edited(lambda v: v.update(name="../x")), "cannot be a name"),
    "two dots in a name": (edited(lambda v: v.update(name="a..b")), "cannot be a name"),
    "another format": (edited(lambda v: v.update(format="kolm-bundle/0")), "the format is"),
    "base without weights": (edited(lambda v: v["base"].update(weights={})), "names no weights"),
    "weights without digest": (
        edited(lambda v: v["base"].update(weights={"model.safetensors": "x"})),
        "not a SHA-256",
    ),
    "a file listed twice": (edited(lambda v: v["files"].append(v["files"][-1])), "listed twice"),
    "files out of order": (edited(lambda v: v["files"].reverse()), "order of the format"),
    "the manifest lists itself": (
        edited(lambda v: v["files"][0].update(path="manifest.json")),
        "must not be listed",
    ),
    "the manifest lists an attestation": (
        edited(lambda v: v["files"][0].update(path="attestations/model.sig")),
        "must not be listed",
    ),
    "a file that is not allowed": (
        edited(lambda v: v["files"][0].update(path="adapter/model.pkl")),
        "not a file that a bundle may hold",
    ),
    "a path that leads elsewhere": (
        edited(lambda v: v["files"][0].update(path="../../etc/passwd")),
        "not a file that a bundle may hold",
    ),
    "upper-case digest": (
        edited(lambda v: v["files"][0].update(sha256="AB" * 32)),
        "is not a SHA-256",
    ),
    "true as a size": (edited(lambda v: v["files"][0].update(size=True)), "the size True"),
    "negative size": (edited(lambda v: v["files"][0].update(size=-1)), "the size -1"),
    "files as an object": (edited(lambda v: v.update(files={})), "not a list"),
    "too many files": (edited(lambda v: v.update(files=v["files"] * 40)), "lists 600 files"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest(name: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    change, words = MANIFESTS[name]
    files = files_of(path)
    path.write_bytes(pack({**files, "manifest.json": change(files["manifest.json"])}))
    assert_refused(path, signer, "manifest", words)


def test_another_content_under_an_honest_signature(tmp_path: Path) -> None:
    """A manifest rewritten to fit a changed file is one that nobody signed."""
    path, signer = good(tmp_path / "a.kolm")
    other = files_of(factory.make_bundle(tmp_path / "b.kolm", name="tiny-chart-2").path)
    files = files_of(path)
    path.write_bytes(pack({**files, "manifest.json": other["manifest.json"]}))
    assert_refused(path, signer, "subject", "another bundle's manifest")


def test_another_cid_than_was_asked_for(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    _, report = verdict(path, signer)
    assert verdict(path, signer, arguments=["--cid", report["cid"]])[0] == 0
    other = "bafkreiablk6x6xgfpiw5ss3vsdyevwaiijzzaxxdh3c45pvomitwvf7ymi"
    code, report = verdict(path, signer, arguments=["--cid", other])
    assert code == 4
    assert [c["name"] for c in report["checks"] if c["ok"] is False] == ["cid"]
