"""What a worker is asked to do, and where in the run folder its results stand. No torch here."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kolm_cli.core import digests
from kolm_cli.core.files import write_atomic

SEAL = "sealed.json"


@dataclass(frozen=True)
class Orders:
    """The worker's orders, as `run.json` holds them.

    Attributes:
        model: a hub id, or the absolute path of a local folder.
        revision: the commit of a hub id; empty for a folder.
        train: the spec's section `train` as JSON.
        evaluation: the name of the evaluation's folder: the digest of what decides it.
        threads: torch's threads in each process; they change the results of sums.
    """

    model: str
    revision: str
    trust_remote_code: bool
    train: dict[str, Any]
    device: str
    threads: int
    truncation: str
    evaluation: str
    max_new_tokens: int
    batch_size: int

    def write(self, run: Path) -> None:
        """Write `run.json`."""
        write_atomic(run / "run.json", json.dumps(asdict(self), indent=1).encode(), mode=0o600)

    @classmethod
    def read(cls, run: Path) -> Orders:
        """Read `run.json`."""
        return cls(**json.loads((run / "run.json").read_bytes()))


@dataclass(frozen=True)
class RunFolder:
    """The folders of one run: `$KOLM_HOME/runs/{training digest}`."""

    path: Path

    @property
    def data(self) -> Path:
        """The frozen training rows."""
        return self.path / "data"

    @property
    def checkpoints(self) -> Path:
        """What a killed run resumes from."""
        return self.path / "checkpoints"

    @property
    def trained(self) -> Path:
        """The adapter, the module lists, the processor and the `vlm_train` block."""
        return self.path / "trained"

    def evaluation(self, digest: str) -> Path:
        """The pack, the answers and the latency of one evaluation."""
        return self.path / "evaluations" / digest

    @property
    def progress(self) -> Path:
        """The worker's progress as JSON lines."""
        return self.path / "progress.jsonl"

    @property
    def log(self) -> Path:
        """What the launcher and the worker wrote to their outputs."""
        return self.path / "worker.log"

    @property
    def error(self) -> Path:
        """Why the worker failed."""
        return self.path / "error.json"


def seal(folder: Path) -> None:
    """Mark a folder's content as complete: the digest of every file, written last."""
    files = {
        str(path.relative_to(folder)): digests.sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != SEAL
    }
    write_atomic(folder / SEAL, json.dumps(files, sort_keys=True).encode(), mode=0o600)


def is_sealed(folder: Path) -> bool:
    """Whether the folder was completed and every file still is what it was."""
    try:
        files = json.loads((folder / SEAL).read_bytes())
        return all(digests.sha256_file(folder / name) == sha for name, sha in files.items())
    except (OSError, ValueError, AttributeError):
        return False
