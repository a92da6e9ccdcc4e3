"""The worker: trains, and has the base and the adapter answer."""

from __future__ import annotations

import gc
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object

from kolm_cli.answering.answerer import Answer, Answerer
from kolm_cli.bundle.format.predictions import write_predictions
from kolm_cli.core.errors import InterruptedRunError
from kolm_cli.core.files import write_atomic
from kolm_cli.core.seals import is_sealed, seal
from kolm_cli.dataset.frozen import thaw
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.families.base import PARTS
from kolm_cli.families.resolve import Base
from kolm_cli.records.row import Row
from kolm_cli.run.during import during_of
from kolm_cli.run.environment import describe_environment, measured_memory
from kolm_cli.run.folder import RunFolder
from kolm_cli.run.known_latency import KnownLatency
from kolm_cli.run.lifeline import Lifeline
from kolm_cli.run.orders import DURING, Orders
from kolm_cli.run.progress_file import FileProgress
from kolm_cli.run.reload_check import POSITIONS, Probe, aligned
from kolm_cli.run.room import check_room
from kolm_cli.scoring.course import Rule
from kolm_cli.scoring.latency import ANSWERS
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.adapter_files import load_adapter
from kolm_cli.trainer.adapter_trainer import Start, VLMTrainer
from kolm_cli.trainer.base_model import attention_of, load_base
from kolm_cli.trainer.devices import Determinism, hardware
from kolm_cli.trainer.during import During
from kolm_cli.trainer.merged import merge
from kolm_cli.trainer.partition import Partition, parameters_of


@dataclass
class Worker:
    """One process of a run.

    Attributes:
        determinism: of the training.
        choosing: of what is evaluated while it goes on.
    """

    run: RunFolder
    orders: Orders
    base: Base
    config: TrainSection
    device: str
    encoder: Encoder
    state: PartialState
    progress: FileProgress
    lifeline: Lifeline
    determinism: Determinism
    choosing: Determinism = field(init=False)

    def __post_init__(self) -> None:
        self.choosing = Determinism(self.device)

    def work(self) -> None:
        """Score the base, train, score the adapter; whatever is there already is kept."""
        evaluation = self.run.evaluation(self.orders.evaluation)
        pack = list(thaw(evaluation, "eval"))
        base_answers = evaluation / "base_predictions.jsonl"
        # In a list, so that whoever takes the model out is the only one who keeps it alive.
        loaded: list[torch.nn.Module] = []
        if not base_answers.is_file():
            loaded.append(self.load_base())
            self.predict(loaded[0], pack, base_answers, stage="evaluate base")
        if not is_sealed(self.run.trained):
            self.train(loaded)
        loaded.clear()
        gc.collect()
        merged = self.load_merged()
        if not self.orders.measure_again:
            self.predict(merged, pack, evaluation / "predictions.jsonl", stage="evaluate adapter")
        if self.state.is_main_process:
            self.measure(self.answerer(merged), pack, evaluation)
            seal(evaluation)
        self.state.wait_for_everyone()

    def measure(self, answerer: Answerer, pack: list[Row], evaluation: Path) -> None:
        """Time answers one at a time, unless that was done before, or more of them are ordered."""
        adapter = self.run.trained / "adapter"
        known = KnownLatency.of(self.orders.evaluation, hardware(self.device), adapter)
        times = known.read()
        if not times or self.orders.measure_again:
            self.progress.stage("measure latency", ANSWERS, "answers")
            times += answerer.latencies_us(pack, self.progress)
            known.write(times)
        write_json(evaluation / "measured.json", {"latencies_us": times})

    def load_base(self) -> torch.nn.Module:
        """A fresh base."""
        self.progress.stage("load base")
        model = load_base(self.base, bf16=self.config.bf16, attention=self.config.attention)
        self.base.family.follow_processor(model, self.encoder.processor)
        return model

    def load_merged(self) -> torch.nn.Module:
        """The saved adapter in a fresh base's weights, once it did there what the trained one did.

        Raises:
            VerificationError: it did not.
        """
        adapter = self.run.trained / "adapter"
        adapted = load_adapter(self.load_base(), self.base.family, adapter)
        if self.state.is_main_process:
            # Beside the base's weights, as it was trained: merged, it rounds otherwise.
            note = self.probe(self.answerer(adapted)).compare(self.run.trained)
            if note:
                self.progress.note(note)
        return merge(adapted, adapter, bf16=self.config.bf16)

    def answerer(self, model: torch.nn.Module) -> Answerer:
        """Answers as the spec says."""
        return Answerer(
            model,
            self.encoder,
            device=str(self.state.device),
            bf16=self.config.bf16,
            max_new_tokens=self.orders.max_new_tokens,
        )

    def predict(self, model: torch.nn.Module, pack: list[Row], path: Path, *, stage: str) -> None:
        """Answer the pack, each process its share, and write the answers in the pack's order."""
        mine = pack[self.state.process_index :: self.state.num_processes]

        def answer_mine() -> list[Answer]:
            self.progress.stage(stage, len(mine), "rows")
            return self.answerer(model).answer_all(
                mine,
                batch_size=self.orders.batch_size,
                progress=self.progress,
                should_stop=self.lifeline.should_stop,
            )

        # Asked anew for each evaluation: what one of them needs decides nothing for another.
        determinism = Determinism(self.device)
        answers = determinism.run(answer_mine, self.progress.note)
        if len(answers) < len(mine):
            raise InterruptedRunError("interrupted while evaluating")
        pairs = [(row.id, answer) for row, answer in zip(mine, answers, strict=True)]
        found: dict[str, Answer] = dict(gather_object(pairs))
        if self.state.is_main_process:
            ids = [row.id for row in pack]
            data = write_predictions(ids, {name: said.text for name, said in found.items()})
            write_json(path.with_suffix(".operations.json"), determinism.without)
            write_json(path.with_suffix(".cut.json"), [name for name in ids if found[name].cut])
            # Last, since it says that this evaluation is done.
            write_atomic(path, data, mode=0o600)

    def probe(self, answerer: Answerer) -> Probe:
        """What a model makes of the first training row."""
        row = next(thaw(self.run.data, "train"))
        prompt = self.encoder.prompt(row)
        exact = self.device == "cpu" and not self.config.bf16
        with aligned(self.trainable(answerer.model) if exact else ()):
            logits = answerer.logits(prompt, last=POSITIONS)
        # accelerate leaves the trained model's outputs in fp32 under bf16: compare like with like.
        logits = logits.float().cpu()
        return Probe(logits, hardware(self.device), exact)

    def trainable(self, model: torch.nn.Module) -> Iterator[torch.Tensor]:
        """Every parameter that a training may change, whether this one does or not."""
        partition = Partition.of(self.base.family, model)
        for name, parameter in parameters_of(model, partition, *PARTS):
            if partition.parts[name] in ("vision", "projector") or ".lora_" in name:
                yield parameter

    def train(self, loaded: list[torch.nn.Module]) -> None:
        """Train and save, with the trained model's logits on the probe.

        Args:
            loaded: a base that was loaded already, and is taken out; or none.
        """
        rows = list(thaw(self.run.data, "train"))
        during = self.during()
        began = time.monotonic()

        def train_once() -> VLMTrainer:
            trainer = VLMTrainer(
                self.base,
                rows,
                self.config,
                model=loaded.pop() if loaded else self.load_base(),
                encoder=self.encoder,
                device=self.device,
                folder=self.run.checkpoints,
                progress=self.progress,
                should_stop=self.lifeline.should_stop,
                curves=self.run.curves,
                start=Start(self.orders.parent, self.run.parent) if self.orders.parent else None,
                during=during,
            )
            check_room(self.run.path, trainer)
            return trainer.train()

        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        trainer = self.determinism.run(train_once, self.progress.note)
        seconds = time.monotonic() - began
        measured = measured_memory(self.device)
        probe = self.probe(self.answerer(trainer.model))
        if self.state.is_main_process:
            self.save(trainer, probe, seconds, measured)
        self.state.wait_for_everyone()

    def during(self) -> During | None:
        """What is evaluated while training; None when nothing is."""
        if self.orders.during is None:
            return None
        return during_of(
            self.orders,
            list(thaw(self.run.data, DURING)),
            self.encoder,
            self.state,
            self.choosing,
            bf16=self.config.bf16,
            should_stop=self.lifeline.should_stop,
            note=self.progress.note,
        )

    def save(
        self, trainer: VLMTrainer, probe: Probe, seconds: float, measured: dict[str, Any]
    ) -> None:
        """Write what was trained, sealed last; then the checkpoints are no longer needed."""
        self.progress.stage("save")
        folder = self.run.trained
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        trainer.save(folder / "adapter")
        (folder / "adapter" / "modules.json").rename(folder / "modules.json")
        self.encoder.processor.save_pretrained(folder / "processor")
        write_json(folder / "vlm_train.json", trainer.receipt())
        facts = describe_environment(
            self.device, self.state.num_processes, attention_of(trainer.model), self.determinism
        )
        if self.orders.during is not None and Rule.of(self.orders.during["options"]).chooses:
            # What had another sum each time, and may have chosen other weights by it.
            without = {*self.determinism.without, *self.choosing.without}
            facts["nondeterministic_operations"] = sorted(without)
        facts |= measured
        if trainer.step_times is not None:
            facts["seconds_a_step"] = trainer.step_times
        write_json(folder / "environment.json", {**facts, "training_seconds": round(seconds, 3)})
        probe.save(folder)
        seal(folder)
        shutil.rmtree(self.run.checkpoints, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """A small JSON file, whole or not at all."""
    write_atomic(path, json.dumps(value, indent=1).encode(), mode=0o600)
