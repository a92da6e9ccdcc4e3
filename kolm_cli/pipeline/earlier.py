"""Earlier results, found by the digest of their inputs."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.core import digests
from kolm_cli.core.files import atomic_writer, write_atomic
from kolm_cli.core.home import private_folder


@dataclass(frozen=True)
class Earlier:
    """A bundle of an earlier compile, kept under `$KOLM_HOME`."""

    bundle: Path
    report: dict[str, Any]


def _entry(key: str) -> Path:
    return private_folder("results", key) / "result.json"


def find(key: str) -> Earlier | None:
    """The result of the same inputs, when its bundle is still what it was."""
    path = private_folder("results") / key / "result.json"
    try:
        entry = json.loads(path.read_bytes())
        bundle = path.with_name("bundle.kolm")
        if digests.sha256_file(bundle) != entry["sha256"]:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        # A damaged entry is no result; compiling writes it anew.
        return None
    return Earlier(bundle, entry["report"])


def keep(key: str, bundle: Path, report: dict[str, Any]) -> None:
    """Remember a result: its bundle first, the entry that vouches for it last."""
    entry = _entry(key)
    deliver(bundle, entry.with_name("bundle.kolm"))
    content = {"sha256": digests.sha256_file(bundle), "report": report}
    write_atomic(entry, json.dumps(content).encode(), mode=0o600)


def deliver(bundle: Path, target: Path) -> None:
    """Put a copy of `bundle` at `target`, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with bundle.open("rb") as source, atomic_writer(target) as stream:
        shutil.copyfileobj(source, stream, 1 << 20)
