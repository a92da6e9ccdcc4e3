"""A bundle as an OCI artifact: `manifest.json` is the config, every other file a layer.

The config's digest is therefore the CID's, an adapter that two bundles share is stored once, and
since the ZIP of a bundle is a function of its files, the `.kolm` can be put together again byte
for byte. (OCI image specification 1.1, "Guidelines for Artifact Usage".)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kolm_cli.bundle.container.open_bundle import Bundle
from kolm_cli.bundle.format import layout
from kolm_cli.core import canonical_json, digests
from kolm_cli.core.errors import VerificationError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
ARTIFACT_TYPE = "application/vnd.kolm.bundle.v1"
CONFIG_TYPE = "application/vnd.kolm.manifest.v1+json"
LAYER_TYPE = "application/vnd.kolm.file.v1"
TITLE = "org.opencontainers.image.title"
MAX_IMAGE_BYTES = 1 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class Descriptor:
    """A blob: what it is, and where in the bundle it belongs.

    Attributes:
        digest: `sha256:` and 64 hex digits.
        size: bytes.
        path: the file's path in the bundle.
    """

    digest: str
    size: int
    path: str

    @property
    def hex(self) -> str:
        """The digest without its algorithm."""
        return self.digest.removeprefix("sha256:")


@dataclass(frozen=True)
class OciImage:
    """An OCI manifest of a bundle.

    Attributes:
        data: its bytes.
        files: every file of the bundle, in the archive's order, `manifest.json` first.
    """

    data: bytes
    files: Sequence[Descriptor]

    @property
    def digest(self) -> str:
        """The OCI manifest's digest."""
        return f"sha256:{digests.sha256_bytes(self.data)}"

    @property
    def cid(self) -> str:
        """The CID: the config's digest in another form."""
        return digests.cid_from_digest(self.files[0].hex)

    @property
    def total_bytes(self) -> int:
        """The sum of the files' sizes."""
        return sum(file.size for file in self.files)

    @property
    def blobs(self) -> list[Descriptor]:
        """Every blob once: two files of the same content are one."""
        return list({file.digest: file for file in self.files}.values())


def image_of(bundle: Bundle) -> OciImage:
    """The OCI manifest of a bundle; the same bundle gives the same bytes."""
    files = [
        Descriptor(f"sha256:{bundle.sha256(path)}", bundle.size(path), path)
        for path in bundle.names
    ]
    config, *layers = files
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": ARTIFACT_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": config.digest, "size": config.size},
        "layers": [
            {
                "mediaType": LAYER_TYPE,
                "digest": layer.digest,
                "size": layer.size,
                "annotations": {TITLE: layer.path},
            }
            for layer in layers
        ],
        "annotations": {TITLE: f"{bundle.manifest.name}.kolm"},
    }
    return OciImage(canonical_json.dumps(value), files)


def read_image(data: bytes) -> OciImage:
    """Read the OCI manifest of a bundle, strictly: it may come from anywhere.

    Raises:
        VerificationError: it is malformed, or an image of something else.
    """
    value = canonical_json.loads(data, max_bytes=MAX_IMAGE_BYTES, max_depth=8)
    if not isinstance(value, dict) or value.get("schemaVersion") != 2:
        raise VerificationError("is not an OCI image manifest")
    config = value.get("config")
    if not isinstance(config, dict) or config.get("mediaType") != CONFIG_TYPE:
        kind = config.get("mediaType") if isinstance(config, dict) else None
        raise VerificationError(f"is not a kolm bundle (its config is {kind!r:.100})")
    layers = value.get("layers")
    if not isinstance(layers, list) or not 0 < len(layers) < layout.MAX_ENTRIES:
        raise VerificationError("its layers are not the files of a bundle")
    files = [_descriptor(config, layout.MANIFEST)]
    for layer in layers:
        notes = layer.get("annotations") if isinstance(layer, dict) else None
        path = notes.get(TITLE) if isinstance(notes, dict) else None
        if not isinstance(path, str) or layer.get("mediaType") != LAYER_TYPE:
            raise VerificationError("has a layer that is not a file of a bundle")
        files.append(_descriptor(layer, path))
    paths = [file.path for file in files]
    if len(set(paths)) != len(paths) or paths != sorted(paths, key=layout.sort_key):
        raise VerificationError("its layers are not in the order of a bundle's files")
    image = OciImage(data, files)
    if image.total_bytes > layout.MAX_BUNDLE_BYTES:
        raise VerificationError(f"{image.total_bytes} bytes; a bundle has less than 4 GiB")
    return image


def _descriptor(value: dict[str, Any], path: str) -> Descriptor:
    kind = layout.kind_of(path)
    if kind is None:
        raise VerificationError(f"{path!r:.120} is not a file that a bundle may hold")
    digest, size = value.get("digest"), value.get("size")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise VerificationError(f"{path}: {digest!r:.100} is not a SHA-256 digest")
    if type(size) is not int or not 0 <= size <= kind.max_bytes:
        raise VerificationError(f"{path}: the size {size!r:.40} is not one it may have")
    return Descriptor(digest, size, path)
