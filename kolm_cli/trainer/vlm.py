"""The public trainer: `vlm_trainer(model_id=…, train_dataset=rows, config=VLMTrainConfig(…))`."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import distributed, nn
from transformers.trainer_utils import set_seed

from kolm_cli.core import canonical_json, digests
from kolm_cli.core.errors import InputError, LackingError, Problem
from kolm_cli.core.files import write_atomic
from kolm_cli.core.progress import Progress, Silent
from kolm_cli.encoding.collate import collate
from kolm_cli.encoding.encode import Encoded, open_images
from kolm_cli.encoding.fitting import Side, encode_to_fit
from kolm_cli.encoding.row_checks import Limits, check_rows
from kolm_cli.families.resolve import Base, resolve_base
from kolm_cli.families.support import describe
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.records.row import Row, rows_digest
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer import checkpoints
from kolm_cli.trainer.adapter_files import module_lists, save_adapter
from kolm_cli.trainer.base_model import load_base
from kolm_cli.trainer.encoded_rows import EncodedRows
from kolm_cli.trainer.evidence import (
    Evidence,
    EvidenceError,
    GradientLedger,
    count_parameters,
)
from kolm_cli.trainer.feature_cache import FeatureCache
from kolm_cli.trainer.freeze import GraphWatch, isolate_vision, set_trainable
from kolm_cli.trainer.loop import KolmTrainer, Observer, training_arguments
from kolm_cli.trainer.lora import attach, leaf_names
from kolm_cli.trainer.loss import make_loss
from kolm_cli.trainer.partition import Partition, summarise

__all__ = ["VLMTrainConfig", "VLMTrainer", "vlm_trainer"]

VLMTrainConfig = TrainSection


class StoppedEarly(Exception):  # noqa: N818  # a state, not an error of anybody's
    """Training was asked to stop, and left a checkpoint to resume from."""


class VLMTrainer:
    """Trains one adapter, and knows what it did.

    Attributes:
        base: the resolved base model.
        processor: its processor.
        model: the PEFT model, from construction on.
        partition: the part of every parameter.
    """

    model: PeftModel

    def __init__(
        self,
        base: Base,
        rows: list[Row],
        config: TrainSection,
        *,
        model: nn.Module,
        processor: Any,
        device: str,
        folder: Path,
        side: Side = "prompt_start",
        progress: Progress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.base, self.config, self.processor = base, config, processor
        self._rows, self._side, self._folder = rows, side, folder
        self._progress, self._should_stop = progress or Silent(), should_stop
        self._cpu = device == "cpu"
        self._evidence_facts: dict[str, Any] | None = None
        self._wrap(model)

    def _wrap(self, model: nn.Module) -> None:
        """Attach LoRA and freeze; all lists are read from the model after this."""
        family, config = self.base.family, self.config
        before = {
            part: counts["parameters"]
            for part, counts in count_parameters(model, Partition.of(family, model)).items()
        }
        self.lora_targets = leaf_names(model, family, config.lora_targets)
        if config.freeze_vision:
            isolate_vision(model, family)
        else:
            self._progress.note(
                "the vision tower is trained too: its activations, gradients and optimizer state"
                " need memory that a frozen one does not, and its weights are kept in fp32"
            )
        set_seed(config.seed)
        self.model = attach(
            model,
            family,
            targets=config.lora_targets,
            r=config.lora_r,
            alpha=config.lora_alpha,
            dropout=config.lora_dropout,
        )
        self.partition = Partition.of(family, self.model)
        set_trainable(
            self.model,
            self.partition,
            projector=config.projector != "freeze",
            vision=not config.freeze_vision,
            never_used=family.never_used(self.model),
        )
        if config.gradient_checkpointing:
            # The hook that makes inputs require gradients would reach into the frozen tower.
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
            self.model.disable_input_require_grads()
        self.evidence = Evidence(self.model, self.partition, before)

    def train(self) -> VLMTrainer:
        """Train to the end, resuming from the newest whole checkpoint when there is one.

        Raises:
            EvidenceError: what was observed is not what the receipt would have to say.
            StoppedEarly: `should_stop` said so; a checkpoint was written.
        """
        family = self.base.family
        found = _agreed_checkpoint(self._folder)
        state = found[1] if found else {}
        if state:
            if state["run"] != self._run_digest():
                raise InputError(
                    Problem(
                        "it holds a checkpoint of another run: other rows, base or options",
                        where=str(self._folder),
                        fix="give another output_dir, or empty this one",
                    )
                )
            self.evidence.restore(state["evidence"])
        ledger = GradientLedger(self.model, state.get("gradients_seen", ()))
        watch = GraphWatch(self.model, family)
        observer = Observer(
            evidence=self.evidence,
            ledger=ledger,
            watch=watch,
            progress=self._progress,
            run_digest=self._run_digest(),
            graph_before=state.get("graph"),
            should_stop=self._should_stop,
        )
        full = [
            p for n, p in self.model.named_parameters() if p.requires_grad and ".lora_" not in n
        ]
        encode: Callable[[Row], Encoded] = self.encode
        workers = 0 if self._cpu else min(4, (os.cpu_count() or 2) - 1)
        if self.config.cache_vision:
            # The tower is in this process, and so are its features.
            cache = FeatureCache(self.model, family, bf16=self.config.bf16)
            encode, workers = cache.wrap(self.encode), 0
        trainer = KolmTrainer(
            family=family,
            partition=self.partition,
            config=self.config,
            model=self.model,
            args=training_arguments(self.config, self._folder, cpu=self._cpu, workers=workers),
            train_dataset=EncodedRows(self._rows, encode),
            data_collator=self._collate,
            compute_loss_func=make_loss(full),
            callbacks=[observer],
        )
        observer.trainer = trainer
        trainer.train(resume_from_checkpoint=str(found[0]) if found else None)
        if observer.stopped:
            raise StoppedEarly
        graph = observer.graph()
        if self.config.freeze_vision and graph["with_history"]:
            raise EvidenceError("what entered the projector carried gradient history")
        self._evidence_facts = {
            **self.evidence.conclude(ledger),
            "projector_calls_observed": graph["calls"],
            "projector_inputs_with_gradient_history": graph["with_history"],
            "optimizer_steps": trainer.state.global_step,
        }
        return self

    def encode(self, row: Row) -> Encoded:
        """A row as it is trained on."""
        return encode_to_fit(
            self.base.family,
            self.processor,
            row.conversation,
            open_images(row),
            budget=self.config.max_seq_length,
            side=self._side,
        )

    def _run_digest(self) -> str:
        """What decides this training; a checkpoint of anything else is not resumed from."""
        return digests.sha256_json(
            {
                "base": [self.base.name, self.base.revision],
                "config": self.config.model_dump(mode="json"),
                "truncation": self._side,
                "rows": rows_digest(self._rows),
            }
        )

    def _collate(self, rows: list[Encoded]) -> dict[str, torch.Tensor]:
        return collate(self.base.family, self.processor, rows, side="right")

    def modules(self) -> dict[str, Any]:
        """The content of `modules.json`: the exact lists behind the receipt's summaries."""
        return module_lists(self.model, self.partition)

    def receipt(self) -> dict[str, Any]:
        """The `vlm_train` block. The evidence stands in it once `train()` has ended."""
        config, lists = self.config, self.modules()
        block: dict[str, Any] = {
            "model_id": self.base.name,
            "model_revision": self.base.revision,
            "family": self.base.family.name,
            "family_support": ": ".join(filter(None, describe(self.base.family.support))),
            "papers": [paper.url for paper in self.base.family.papers],
            "trust_remote_code": self.base.trust_remote_code,
            **config.model_dump(mode="json"),
            "lora_targets": list(self.lora_targets),
            "frozen_modules": summarise(entry["name"] for entry in lists["frozen"]),
            "trainable_modules": summarise(entry["name"] for entry in lists["trainable"]),
            "train_examples": len(self._rows),
        }
        if self._evidence_facts is not None:
            block["evidence"] = self._evidence_facts
        return block

    def save(self, folder: Path | str) -> Path:
        """Write the adapter, its full parts and `modules.json` to `folder`."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        save_adapter(self.model, self.partition, self.base.name, target)
        write_atomic(target / "modules.json", canonical_json.dumps(self.modules()))
        return target


def _agreed_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest usable checkpoint, chosen by the first process for all of them."""
    if not (distributed.is_initialized() and distributed.get_world_size() > 1):
        return checkpoints.latest(folder)
    first = distributed.get_rank() == 0
    choice: list[Any] = [checkpoints.latest(folder) if first else None]
    distributed.broadcast_object_list(choice, src=0)
    found: tuple[Path, dict[str, Any]] | None = choice[0]
    return found


def steps_of(rows: int, config: TrainSection, processes: int = 1) -> int:
    """How many optimizer steps a run takes."""
    batches = math.ceil(rows / (config.per_device_train_batch_size * processes))
    return math.ceil(batches / config.gradient_accumulation_steps) * config.num_train_epochs


def pick_device(
    device: str | None,
    *,
    where: str = "launch.device",
    fix: str = "run where there is a GPU, or write device: cpu under launch:",
) -> str:
    """`cuda` or `cpu`; None takes the GPU when there is one.

    Args:
        device: what was asked for.
        where: the option or field that asked, for the error.
        fix: what to change there when there is no GPU.

    Raises:
        LackingError: `cuda` was asked for and there is none.
    """
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise LackingError(
            Problem("there is no GPU here: no CUDA device is available", where=where, fix=fix)
        )
    return device


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
        trust_remote_code: whether code that comes with the checkpoint may run.
        progress: receives what the trainer reports.

    Raises:
        InputError: names every row, option or model problem at once.
        LackingError: the model or the device is not here.
    """
    config = config or TrainSection()
    rows = rows_from_python(train_dataset)
    base = resolve_base(model_id, revision, trust_remote_code=trust_remote_code)
    device = pick_device(device)
    processor = base.family.load_processor(base.source, **base.load_options())
    limits = Limits(config.max_seq_length, max_images_per_example, truncation)
    if steps_of(len(rows), config) < 2:
        raise InputError(
            Problem(
                "the run would take fewer than two optimizer steps, and LoRA's first matrix sees"
                " its first gradient in the second",
                fix="give more rows or epochs, or smaller batches",
            )
        )
    check_rows(base.family, processor, rows, limits, progress=progress or Silent()).raise_if_bad()
    folder = Path(output_dir) if output_dir else Path(tempfile.mkdtemp(prefix="kolm-"))
    trainer = VLMTrainer(
        base,
        rows,
        config,
        model=load_base(base, bf16=config.bf16),
        processor=processor,
        device=device,
        folder=folder,
        side=truncation,
        progress=progress,
    )
    if output_dir is None:
        weakref.finalize(trainer, shutil.rmtree, folder, ignore_errors=True)
    return trainer
