"""The trainer of one adapter: attaches LoRA, freezes, trains, and keeps what it observed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import PartialState
from peft import PeftModel
from torch import nn

from kolm_cli.bundle.format.modules import ListedTensor, summarize
from kolm_cli.core import digests
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.files import write_atomic
from kolm_cli.core.progress import Progress, Silent
from kolm_cli.encoding.encoded import Encoded
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.families.base import chat_template
from kolm_cli.families.resolve import Base
from kolm_cli.families.support import describe
from kolm_cli.records.row import Row, rows_digest
from kolm_cli.spec.model import TrainSection
from kolm_cli.spec.train import TOLD_ONLY
from kolm_cli.trainer import checkpoints
from kolm_cli.trainer.adapter_files import module_lists, save_adapter, start_from
from kolm_cli.trainer.curves import CurveRecorder
from kolm_cli.trainer.data_workers import choose_workers, free_shared_memory
from kolm_cli.trainer.distributed import decided_by_first, processes_here
from kolm_cli.trainer.during import During, Evaluating, TrainingOver
from kolm_cli.trainer.encoded_rows import EncodedRows
from kolm_cli.trainer.evidence import (
    Evidence,
    EvidenceError,
    GradientLedger,
)
from kolm_cli.trainer.feature_cache import FeatureCache
from kolm_cli.trainer.freeze import GraphWatch
from kolm_cli.trainer.loop import KolmTrainer, NamedBatches, Observer, training_arguments
from kolm_cli.trainer.loss import make_loss
from kolm_cli.trainer.prepare import prepare
from kolm_cli.trainer.step_times import StepTimes


class StoppedEarly(Exception):  # noqa: N818  # a state, not an error of anybody's
    """Training was asked to stop, and left a checkpoint to resume from."""


@dataclass(frozen=True)
class Start:
    """The earlier adapter that a training starts from.

    Attributes:
        cid: its bundle's.
        folder: its files.
    """

    cid: str
    folder: Path


class VLMTrainer:
    """Trains one adapter, and knows what it did.

    Attributes:
        base: the resolved base model.
        encoder: encodes rows as they are trained on.
        model: the PEFT model, from construction on.
        partition: the part of every parameter.
        step_times: how long its steps took, once there were some; no part of `receipt`.
    """

    model: PeftModel

    def __init__(
        self,
        base: Base,
        rows: list[Row],
        config: TrainSection,
        *,
        model: nn.Module,
        encoder: Encoder,
        device: str,
        folder: Path,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        start: Start | None = None,
        curves: Path | None = None,
        during: During | None = None,
    ) -> None:
        self.base, self.config, self.encoder, self.start = base, config, encoder, start
        self._curves, self._during = curves, during
        self._rows, self._folder = rows, folder
        self._progress, self._should_stop = progress or Silent(), should_stop
        self._cpu = device == "cpu"
        self._evidence_facts: dict[str, Any] | None = None
        self.step_times: dict[str, Any] | None = None
        self._during_facts: dict[str, Any] | None = None
        self._wrap(model)

    def _wrap(self, model: nn.Module) -> None:
        """Make the model ready to train; all lists are read from it after this."""
        if not self.config.freeze_vision:
            held = "" if self.config.vision == "lora" else ", and its weights are kept in fp32"
            self._progress.note(
                "the vision tower is trained too: its activations, gradients and optimizer state"
                f" need memory that a frozen one does not{held}"
            )
        prepared = prepare(
            model, self.base.family, self.config, device="cpu" if self._cpu else "cuda"
        )
        self.model, self.partition = prepared.model, prepared.partition
        self.lora_targets = prepared.lora_targets
        if self.config.projector == "lora":
            self._name_what_stays_frozen()
        if self.start is not None:
            # Before the evidence begins: what changes is told against these weights.
            start_from(self.model, self.base.family, self.start.folder)
        self.evidence = Evidence(self.model, self.partition, prepared.before)

    def _name_what_stays_frozen(self) -> None:
        """LoRA is for linear layers: what else the projector has does not learn."""
        adapted = {n.partition(".lora_")[0] for n in self.partition.parts if ".lora_" in n}
        left = [
            name
            for name in self.partition.names("projector")
            if ".lora_" not in name and name.rpartition(".")[0] not in adapted
        ]
        if left:
            globs = summarize(ListedTensor(name, "projector", (), "") for name in left)
            self._progress.note(f"frozen, since it cannot take LoRA: {', '.join(globs)}")

    def train(self) -> VLMTrainer:
        """Train to the end, resuming from the newest whole checkpoint when there is one.

        Raises:
            EvidenceError: what was observed is not what the receipt would have to say.
            StoppedEarly: `should_stop` said so; a checkpoint was written.
        """
        family = self.base.family
        found = decided_by_first(lambda: checkpoints.latest(self._folder))
        state = found[1] if found else {}
        if found:
            if state["run"] != self._run_digest():
                raise InputError(
                    Problem(
                        "it holds a checkpoint of another run: other rows, base or options",
                        where=str(self._folder),
                        fix="give another output_dir, or empty this one",
                    )
                )
            self.evidence.restore(state["evidence"])
            self._progress.note(f"resuming {checkpoints.going_on(*found)}")
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
        times = StepTimes()
        recorder = None
        if self._curves is not None:
            recorder = CurveRecorder(self._curves, active=PartialState().is_main_process)
        evaluating = None
        if self._during is not None:
            evaluating = Evaluating(self._during, self.model, ledger, self._progress)
            if found:
                evaluating.restore(found[0], state["during"])
        full = [
            p for n, p in self.model.named_parameters() if p.requires_grad and ".lora_" not in n
        ]
        encode: Callable[[Row], Encoded] = self.encoder.training
        workers = 0
        if self.config.cache_vision:
            # The tower is in this process, and so are its features.
            cache = FeatureCache(self.model, family, bf16=self.config.bf16)
            encode = cache.wrap(encode)
        elif not self._cpu:
            workers = self._data_workers()
        trainer = KolmTrainer(
            family=family,
            partition=self.partition,
            config=self.config,
            model=self.model,
            args=training_arguments(self.config, self._folder, cpu=self._cpu, workers=workers),
            train_dataset=EncodedRows(self._rows, encode),
            data_collator=NamedBatches(self.encoder),
            compute_loss_func=make_loss(full),
            callbacks=list(filter(None, [observer, times, recorder, evaluating])),
        )
        observer.trainer = trainer
        if evaluating is not None:
            evaluating.trainer, trainer.evaluating = trainer, evaluating
        try:
            trainer.train(resume_from_checkpoint=str(found[0]) if found else None)
        except TrainingOver:
            handler, control = trainer.callback_handler, trainer.control
            trainer.control = handler.on_train_end(trainer.args, trainer.state, control)
        if observer.stopped or (evaluating is not None and evaluating.interrupted):
            raise StoppedEarly
        self.step_times = times.as_json()
        steps = trainer.state.global_step
        if evaluating is not None:
            self._during_facts = evaluating.facts(trainer.state.max_steps, steps)
            # From here on, the weights that are kept: all evidence is about them.
            steps = evaluating.keep(steps)
        graph = observer.graph()
        if self.config.freeze_vision and graph["with_history"]:
            raise EvidenceError("what entered the projector carried gradient history")
        self._evidence_facts = {
            **self.evidence.conclude(ledger),
            "projector_calls_observed": graph["calls"],
            "projector_inputs_with_gradient_history": graph["with_history"],
            "optimizer_steps": steps,
        }
        return self

    @property
    def keeps_best(self) -> bool:
        """Whether a checkpoint holds the best weights beside the last."""
        return self._during is not None and self._during.options["keep"] == "best"

    def _data_workers(self) -> int:
        """Processes that prepare batches, judged by the size of the first rows."""
        sizes = [self.encoder.training(row).nbytes for row in self._rows[:8]]
        batch = max(sizes) * self.config.per_device_train_batch_size
        workers, note = choose_workers(batch, free_shared_memory(), processes_here())
        if note:
            self._progress.note(note)
        return workers

    def _run_digest(self) -> str:
        """What decides this training; a checkpoint of anything else is not resumed from."""
        return digests.sha256_json(
            {
                "base": [self.base.name, self.base.revision],
                "config": self.config.model_dump(mode="json", exclude=set(TOLD_ONLY)),
                "truncation": self.encoder.limits.side,
                "images": _image_settings(self.encoder.processor),
                **({"resize": "fit"} if self.encoder.limits.fit else {}),
                "rows": rows_digest(self._rows),
                "start": self.start.cid if self.start else "",
                **({"during": self._during.identity()} if self._during else {}),
            }
        )

    def modules(self) -> dict[str, Any]:
        """The content of `modules.json`: the exact lists behind the receipt's summaries."""
        return module_lists(self.model, self.partition).as_json()

    def receipt(self) -> dict[str, Any]:
        """The `vlm_train` block. It has the evidence once `train()` has ended."""
        config, lists = self.config, module_lists(self.model, self.partition)
        block: dict[str, Any] = {
            "model_id": self.base.name,
            "model_revision": self.base.revision,
            "family": self.base.family.name,
            "family_support": ": ".join(filter(None, describe(self.base.family.support))),
            "papers": [paper.url for paper in self.base.family.papers],
            "trust_remote_code": self.base.trust_remote_code,
            **config.model_dump(mode="json", exclude=set(TOLD_ONLY)),
            "lora_targets": list(self.lora_targets),
            "frozen_modules": summarize(lists.frozen),
            "trainable_modules": summarize(lists.trainable),
            "train_examples": len(self._rows),
        }
        if self.start is not None:
            block["parent"] = self.start.cid
        template = chat_template(self.encoder.processor)
        if template:
            block["chat_template_sha256"] = digests.sha256_bytes(template.encode())
        convention = self.base.family.coordinates
        if convention is not None and any(row.conversation.boxes for row in self._rows):
            # Who serves the adapter has to know how to read the boxes that it writes.
            block["coordinates"] = convention.name
        if self._evidence_facts is not None:
            block["evidence"] = self._evidence_facts
        if self._during_facts is not None:
            block["during"] = self._during_facts
        return block

    def save(self, folder: Path | str) -> Path:
        """Write the adapter, its full parts and `modules.json` to `folder`."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        save_adapter(self.model, self.partition, self.base.name, target)
        lists = module_lists(self.model, self.partition)
        write_atomic(target / "modules.json", lists.to_bytes())
        return target


def _image_settings(processor: Any) -> str:
    """How pictures are shown: other limits are another run."""
    images = getattr(processor, "image_processor", None)
    return "" if images is None else str(images.to_json_string())
