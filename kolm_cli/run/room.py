"""Whether the disk has room for what a run will save."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from kolm_cli.core.errors import LackingError, Problem

if TYPE_CHECKING:
    from kolm_cli.trainer.adapter_trainer import VLMTrainer

# Beside the checkpoints: the processor, the lists of modules, the probe.
_OTHER_FILES_BYTES = 64 << 20


def check_room(folder: Path, trainer: VLMTrainer) -> None:
    """Refuse to train what could not be saved.

    Three checkpoints are there for a moment, each with the weights, the optimizer's two moments and
    maybe the best weights of everything that trains; then come the adapter and its bundle in the
    registry.

    Raises:
        LackingError: the disk has too little room.
    """
    trained = sum(p.numel() * 4 for p in trainer.model.parameters() if p.requires_grad)
    needed = 3 * (4 if trainer.keeps_best else 3) * trained + 2 * trained + _OTHER_FILES_BYTES
    # What a run that is resumed wrote before is there already.
    needed -= sum(path.stat().st_size for path in folder.glob("checkpoints/**/*"))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise LackingError(
            Problem(
                f"{free} bytes are free, and this run needs about {needed} to save what it trains:"
                f" {needed - free} are missing",
                where=str(folder),
            ),
            hint="free some space (kolm gc --runs 7 removes old runs), or set KOLM_HOME",
        )
