"""Latencies that were measured before: the same answers on the same device are not timed twice.

So a bundle that is made again has the K-score that it had, and does not pass a gate by luck.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from kolm_cli.core import digests
from kolm_cli.core.files import write_atomic
from kolm_cli.core.home import private_folder


@dataclass(frozen=True)
class KnownLatency:
    """The times of one adapter on one device.

    Attributes:
        key: names what is answered, by which weights, on which device.
    """

    key: str

    @classmethod
    def of(cls, evaluation: str, device: str, adapter: Path) -> KnownLatency:
        """The times of these answers.

        Args:
            evaluation: the digest of what decides the answers.
            device: what it is measured on.
            adapter: the folder of what was trained.
        """
        files = {path.name: digests.sha256_file(path) for path in sorted(adapter.iterdir())}
        return cls(digests.sha256_json([evaluation, device, files]))

    @property
    def _path(self) -> Path:
        return private_folder("latencies") / f"{self.key}.json"

    def read(self) -> list[int]:
        """What was measured; empty when nothing was."""
        try:
            times = json.loads(self._path.read_bytes())
            return [int(time) for time in times]
        except (OSError, ValueError, TypeError):
            # Measuring again costs a minute.
            return []

    def write(self, times: list[int]) -> None:
        """Keep them."""
        write_atomic(self._path, json.dumps(times).encode(), mode=0o600)
