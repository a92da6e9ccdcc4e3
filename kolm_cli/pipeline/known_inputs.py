"""Where on this machine things are that a bundle names by digest only: bases and packs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import KolmError
from kolm_cli.core.files import write_atomic
from kolm_cli.core.home import home_path, private_folder
from kolm_cli.dataset.frozen import thaw
from kolm_cli.pipeline.inputs import Inputs
from kolm_cli.pipeline.run_results import RunResults
from kolm_cli.records.curves import read_curves
from kolm_cli.records.row import Row, rows_digest
from kolm_cli.run.folder import RunFolder

# What a note raises that something else wrote, or that leads nowhere: it is none.
_DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, KolmError)


def remember(inputs: Inputs, results: RunResults, cid: str) -> None:
    """Note where the base, the pack and the run of a bundle are: it names them by digest only."""
    _remember_pack(results.pack.digest, results.evaluation)
    _remember_base(inputs)
    place = json.dumps({"training": inputs.keys.training}).encode()
    write_atomic(private_folder("made") / f"{cid}.json", place, mode=0o600)


def known_curves(cid: str) -> list[dict[str, Any]]:
    """The learning curves of the bundle with this CID; none when it was made elsewhere."""
    try:
        training = json.loads((home_path() / "made" / f"{cid}.json").read_bytes())["training"]
        return read_curves(RunFolder(home_path() / "runs" / training).curves)
    except _DAMAGED:
        return []


def _remember_base(inputs: Inputs) -> None:
    """Note where the base of a bundle is: the bundle names it by digest only."""
    if inputs.base.revision:
        return
    place = json.dumps({"folder": str(inputs.base.folder.resolve())}).encode()
    for sha256 in inputs.weights.values():
        # A file each: two compiles at once lose nothing.
        write_atomic(private_folder("bases") / f"{sha256}.json", place, mode=0o600)


def known_base(sha256: str) -> Path | None:
    """The folder of the base that has the weight file with this digest, when it is known here."""
    try:
        entry = json.loads((private_folder("bases") / f"{sha256}.json").read_bytes())
        return Path(entry["folder"])
    except _DAMAGED:
        # Where bases are can be said again with --base.
        return None


def _remember_pack(digest: str, folder: Path) -> None:
    """Note where a frozen evaluation pack is, so that `kolm eval` finds it by digest."""
    entry = private_folder("packs") / f"{digest}.json"
    write_atomic(entry, json.dumps({"folder": str(folder)}).encode(), mode=0o600)


def known_pack(digest: str) -> list[Row]:
    """The rows of the pack with this digest; none when it is not here, or was changed."""
    try:
        entry = json.loads((private_folder("packs") / f"{digest}.json").read_bytes())
        rows = list(thaw(Path(entry["folder"]), "eval"))
    except _DAMAGED:
        return []
    return rows if rows_digest(rows) == digest else []
