"""A memo of file digests, so that unchanged weights are hashed once and not at every command."""

from __future__ import annotations

import json
from pathlib import Path

from kolm_cli.core import digests
from kolm_cli.core.files import write_atomic
from kolm_cli.core.home import kolm_home


class FileMemo:
    """SHA-256 by path, size, times and inode; saved when used as a context."""

    def __init__(self) -> None:
        self._path = kolm_home() / "file-digests.json"
        self._known: dict[str, list[int | str]] = {}
        self._changed = False
        try:
            loaded = json.loads(self._path.read_bytes())
        except (OSError, ValueError, RecursionError):
            # A lost memo costs time, nothing else.
            loaded = {}
        if isinstance(loaded, dict):
            self._known = loaded

    def __enter__(self) -> FileMemo:
        return self

    def __exit__(self, *_: object) -> None:
        if self._changed:
            kept = dict(list(self._known.items())[-20_000:])
            write_atomic(self._path, json.dumps(kept).encode(), mode=0o600, durable=False)

    def sha256(self, path: Path) -> str:
        """The digest of the file's content, from the memo when the file was not touched since."""
        real = path.resolve()
        stat = real.stat()
        # Anybody can set the time of a modification; that of a change is the system's own.
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        known = self._known.get(str(real))
        if isinstance(known, list) and known[:-1] == stamp and isinstance(known[-1], str):
            return known[-1]
        digest = digests.sha256_file(real)
        self._known.pop(str(real), None)
        self._known[str(real)] = [*stamp, digest]
        self._changed = True
        return digest
