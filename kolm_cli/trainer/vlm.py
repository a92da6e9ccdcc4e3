"""The public trainer: `vlm_trainer(model_id=…, train_dataset=rows, config=VLMTrainConfig(…))`."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import raise_if_any
from kolm_cli.core.progress import Progress, Silent
from kolm_cli.encoding.encoder import Encoder, Limits
from kolm_cli.encoding.fitting import Side
from kolm_cli.encoding.row_checks import check_rows
from kolm_cli.families.image_limits import ImageLimits
from kolm_cli.families.resolve import resolve_base
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.records.row import Row
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.adapter_trainer import VLMTrainer
from kolm_cli.trainer.base_model import check_attention, load_base
from kolm_cli.trainer.devices import pick_device
from kolm_cli.trainer.run_checks import unlearnable

__all__ = ["VLMTrainConfig", "VLMTrainer", "vlm_trainer"]

VLMTrainConfig = TrainSection


def vlm_trainer(
    model_id: str,
    train_dataset: Iterable[Mapping[str, Any] | Row],
    config: TrainSection | None = None,
    *,
    revision: str = "main",
    device: str | None = None,
    output_dir: Path | str | None = None,
    max_images_per_example: int = 4,
    truncation: Side = "prompt_start",
    images: ImageLimits | None = None,
    columns: Mapping[str, Any] | None = None,
    confine: Path | str | None = None,
    trust_remote_code: bool = False,
    progress: Progress | None = None,
) -> VLMTrainer:
    """A trainer for one adapter; every row is checked before it is returned.

    Args:
        model_id: a hub id or a local folder.
        train_dataset: rows of `image` (or `images`), `prompt`, `response`; or `messages`.
        config: the training options; the defaults when None.
        revision: a branch, tag or commit of a hub id.
        device: `cuda`, `cpu`, or None for the GPU when there is one.
        output_dir: where checkpoints go, and are resumed from; when None, a temporary folder that
            goes with the trainer.
        max_images_per_example: more images in a row are refused.
        truncation: which side of the prompt is cut when a row is too long.
        images: limits on the size of pictures; the base's own when None.
        columns: which keys of the rows hold what, where they do not have kolm's names:
            `{"image": "photo", "prompt": "Which digit is this?"}`.
        confine: refuse image files outside of this folder, for rows from strangers.
        trust_remote_code: whether code that comes with the checkpoint may run.
        progress: receives what the trainer reports.

    Raises:
        InputError: names every row, option or model problem at once.
        LackingError: the model or the device is not here.
    """
    config = config or TrainSection()
    rows = rows_from_python(train_dataset, columns, confine)
    base = resolve_base(model_id, revision, trust_remote_code=trust_remote_code)
    device = pick_device(device)
    check_attention(config.attention, device)
    limits = Limits(config.max_seq_length, max_images_per_example, truncation)
    encoder = Encoder.for_base(base, limits, images, config.loss_on)
    found = check_rows(encoder, rows, progress=progress or Silent())
    problems = [*found.problems, *unlearnable(rows, config, base.family, "train_dataset")]
    raise_if_any(problems, hint=found.hint(encoder))
    model = load_base(base, bf16=config.bf16, attention=config.attention)
    base.family.follow_processor(model, encoder.processor)
    folder = Path(output_dir) if output_dir else Path(tempfile.mkdtemp(prefix="kolm-"))
    trainer = VLMTrainer(
        base,
        rows,
        config,
        model=model,
        encoder=encoder,
        device=device,
        folder=folder,
        progress=progress,
    )
    if output_dir is None:
        weakref.finalize(trainer, shutil.rmtree, folder, ignore_errors=True)
    return trainer
