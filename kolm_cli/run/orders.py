"""What a worker is asked to do: `run.json` in the run folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from kolm_cli.core.files import write_atomic

# The rows that are asked while training, beside those that are trained on.
DURING = "during"


@dataclass(frozen=True)
class Orders:
    """The worker's orders, as `run.json` holds them.

    Attributes:
        model: a hub id, or the absolute path of a local folder.
        revision: the commit of a hub id; empty for a folder.
        train: the spec's section `train` as JSON.
        images: what the spec says of the size of pictures.
        evaluation: the name of the evaluation's folder: the digest of what decides it.
        threads: torch's threads in each process; they change the results of sums.
        parent: the CID of the bundle that training starts from; empty when it is the base.
        during: the section `evaluate.during` and the metric of its answers; None without one. The
            rows are frozen beside those of training.
        measure_again: only time more answers of what was trained and asked already.
    """

    model: str
    revision: str
    trust_remote_code: bool
    train: dict[str, Any]
    device: str
    threads: int
    truncation: Literal["prompt_start", "prompt_end"]
    images: dict[str, Any]
    evaluation: str
    max_new_tokens: int
    batch_size: int
    parent: str
    during: dict[str, Any] | None = None
    measure_again: bool = False

    def write(self, run: Path) -> None:
        """Write `run.json`."""
        write_atomic(run / "run.json", json.dumps(asdict(self), indent=1).encode(), mode=0o600)

    @classmethod
    def read(cls, run: Path) -> Orders:
        """Read `run.json`."""
        return cls(**json.loads((run / "run.json").read_bytes()))
