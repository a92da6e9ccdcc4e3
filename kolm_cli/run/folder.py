"""The folders and files of one training run: `$KOLM_HOME/runs/{training digest}`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """Where everything of one run is, by the folder that its digest names."""

    path: Path

    @property
    def data(self) -> Path:
        """The frozen training rows."""
        return self.path / "data"

    @property
    def parent(self) -> Path:
        """The adapter that training starts from, when it does not start from the base."""
        return self.path / "parent"

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
    def curves(self) -> Path:
        """How the training went, step by step."""
        return self.path / "curves.jsonl"

    @property
    def log(self) -> Path:
        """What the launcher and the worker wrote to their outputs."""
        return self.path / "worker.log"

    @property
    def error(self) -> Path:
        """Why the worker failed."""
        return self.path / "error.json"
