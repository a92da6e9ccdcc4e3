"""Calls that could not be turned into pairs, kept as they were with the reason.

They lie in `$KOLM_HOME/set-aside`, a file each, until they are tried again or discarded. A file
holds one line of JSON, and then the call as the spool holds it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.capture.proxy.spool import Call, entry
from kolm_cli.core import digests
from kolm_cli.core.files import read_regular, write_atomic
from kolm_cli.core.times import time_text

FOLDER = "set-aside"
# Beyond these a call is counted with its reason, and not kept.
MOST_CALLS = 10_000
MOST_BYTES = 1024 * 1024 * 1024
_SUFFIX = ".call"
_MAX_FILE = 512 * 1024 * 1024


@dataclass(frozen=True)
class Kept:
    """One call that was set aside.

    Attributes:
        id: names it.
        reason: why no pair came of it.
        call: the call.
    """

    id: str
    reason: str
    call: Call

    def as_json(self) -> dict[str, Any]:
        """What may be shown of it: nothing that was asked or answered."""
        return {
            "id": self.id,
            "namespace": self.call.namespace,
            "time": time_text(self.call.time),
            "path": self.call.path,
            "bytes": len(self.call.request) + len(self.call.response),
            "reason": self.reason,
        }


class SetAside:
    """The calls that are set aside under one home folder. Files are 0600 in a folder of 0700."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def put(self, call: Call, reason: str) -> bool:
        """Keep a call; False when there is no more room for any.

        Raises:
            OSError: it could not be written.
        """
        path = self.folder / f"{_id_of(call)}{_SUFFIX}"
        held = [file.stat().st_size for file in self._files() if file != path]
        data = json.dumps({"reason": reason}).encode() + b"\n" + call.pack()
        if len(held) >= MOST_CALLS or sum(held) + len(data) > MOST_BYTES:
            return False
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, data, mode=0o600)
        return True

    def remove(self, call: Call) -> None:
        """Keep a call no longer."""
        (self.folder / f"{_id_of(call)}{_SUFFIX}").unlink(missing_ok=True)

    def count(self) -> int:
        """How many calls are set aside."""
        return len(self._files())

    def discard(self) -> int:
        """Delete every one; gives their number."""
        files = self._files()
        for path in files:
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            os.rmdir(self.folder)
        return len(files)

    def __iter__(self) -> Iterator[Kept]:
        """Every call, one in memory at a time; files that are damaged are left out."""
        for path in self._files():
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                head, _, body = read_regular(path, _MAX_FILE).partition(b"\n")
                yield Kept(path.stem, str(json.loads(head)["reason"]), entry(body))

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{_SUFFIX}")) if self.folder.is_dir() else []


def _id_of(call: Call) -> str:
    return digests.sha256_bytes(call.key.encode())[:12]
