"""Changes to the attestations of a bundle: stripped, edited, signed again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kolm_cli.bundle.signing import keys
from tests.bundle.forge import (
    edit_json,
    envelope,
    files_of,
    pack,
    payload_of,
)

RECEIPT = "attestations/receipt.sigstore.json"
MODEL = "attestations/model.sig"
Files = dict[str, bytes]
Value = dict[str, Any]


def repacked(path: Path, change: Callable[[Files], Files | None]) -> None:
    files = files_of(path)
    changed = change(files)
    path.write_bytes(pack(files if changed is None else changed))


def edited_file(name: str, edit: Callable[[Value], Any]) -> Callable[[Files], Files]:
    return lambda files: {**files, name: edit_json(files[name], edit)}


def signature(edit: Callable[[Value], Any], name: str = RECEIPT) -> Callable[[Files], Files]:
    """Edits the signature object of an envelope."""
    return edited_file(name, lambda v: edit(v["dsseEnvelope"]["signatures"][0]))


def remove(*names: str) -> Callable[[Files], Files]:
    return lambda files: {k: v for k, v in files.items() if k not in names}


def key_file(files: Files) -> str:
    return next(name for name in files if name.endswith(".pem"))


def resigned(name: str, edit: Callable[[Value], Any]) -> Callable[[Files, keys.Signer], Files]:
    """A statement changed and signed again by the trusted key itself."""

    def change(files: Files, signer: keys.Signer) -> Files:
        payload = edit_json(payload_of(files[name]), edit)
        return {**files, name: envelope(payload, signer)}

    return change


DATASET, TRAIN = "attestations/dataset.sigstore.json", "attestations/train.sigstore.json"
CAPTURE = "attestations/capture.sigstore.json"


def internal(edit: Callable[[Value], Any]) -> Callable[[Value], Any]:
    return lambda v: edit(v["predicate"]["buildDefinition"]["internalParameters"])
