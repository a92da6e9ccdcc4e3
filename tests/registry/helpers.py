"""Small bundles, and a registry that is checked by other means than its own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from kolm_cli.bundle.build import Built
from kolm_cli.bundle.signing import keys
from tests.bundle import factory


def bundle(
    path: Path, number: int = 0, *, signer: keys.Signer | None = None, padding: int = 0
) -> Built:
    """A bundle that differs from those of other numbers, but shares its adapter with them."""
    text = json.dumps({"number": number, "padding": "x" * padding}).encode()
    files = {**factory.make_files(), "processor/tokenizer.json": text}
    return factory.make_bundle(path, signer, files=files)


def python(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start a process that runs `code`."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_oci_layout(root: Path) -> None:
    """The folder is what the OCI image layout says, read without any code of kolm's."""
    assert json.loads((root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    blobs = root / "blobs" / "sha256"
    for path in blobs.iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    for manifest in json.loads((root / "index.json").read_bytes())["manifests"]:
        data = (blobs / manifest["digest"].removeprefix("sha256:")).read_bytes()
        assert len(data) == manifest["size"]
        image = json.loads(data)
        for part in (image["config"], *image["layers"]):
            assert (blobs / part["digest"].removeprefix("sha256:")).stat().st_size == part["size"]
