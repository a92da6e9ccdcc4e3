"""The worker: `accelerate launch -m kolm_cli.evaluate.worker RUN`. Trains, and has both scored."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import shutil
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object

from kolm_cli.core import canonical
from kolm_cli.core.errors import (
    InterruptedRunError,
    KolmError,
    LackingError,
    Problem,
    VerificationError,
)
from kolm_cli.core.files import write_atomic
from kolm_cli.dataset.frozen import thaw
from kolm_cli.dataset.orders import Orders, RunFolder, is_sealed, seal
from kolm_cli.dataset.rows import Row
from kolm_cli.evaluate.answer import Answerer
from kolm_cli.families.resolve import Base, resolve_base
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.artifact import load_adapter
from kolm_cli.trainer.environment import describe_environment
from kolm_cli.trainer.launch import PROCESSES_VARIABLE
from kolm_cli.trainer.lifeline import Lifeline, lock_run
from kolm_cli.trainer.load import load_base
from kolm_cli.trainer.report import FileProgress
from kolm_cli.trainer.vlm import StoppedEarly, VLMTrainer, pick_device


@dataclass
class Worker:
    """One process of a run."""

    run: RunFolder
    orders: Orders
    base: Base
    config: TrainSection
    device: str
    processor: Any
    state: PartialState
    progress: FileProgress
    lifeline: Lifeline

    def work(self) -> None:
        """Score the base, train, score the adapter; whatever is there already is kept."""
        evaluation = self.run.evaluation(self.orders.evaluation)
        pack = list(thaw(evaluation, "eval"))
        base_answers = evaluation / "base_predictions.jsonl"
        if not base_answers.is_file():
            model = self.load_base()
            self.predict(model, pack, base_answers, stage="evaluate base")
        else:
            model = None
        if not is_sealed(self.run.trained):
            expected = self.train(model or self.load_base(), pack[0])
        else:
            expected = None
        del model
        gc.collect()
        adapted = load_adapter(self.load_base(), self.base.family, self.run.trained / "adapter")
        answerer = self.answerer(adapted)
        if expected is not None and self.state.is_main_process:
            self.compare(expected, answerer.logits(pack[0]).cpu())
        self.predict(adapted, pack, evaluation / "predictions.jsonl", stage="evaluate adapter")
        if self.state.is_main_process:
            self.progress.stage("measure latency")
            latency = answerer.median_latency_us(pack)
            write_json(evaluation / "measured.json", {"latency_us": latency})
            seal(evaluation)
        self.state.wait_for_everyone()

    def load_base(self) -> torch.nn.Module:
        """A fresh base."""
        self.progress.stage("load base")
        return load_base(self.base, bf16=self.config.bf16)

    def answerer(self, model: torch.nn.Module) -> Answerer:
        """Answers as the spec says."""
        return Answerer(
            model,
            self.processor,
            self.base.family,
            device=str(self.state.device),
            bf16=self.config.bf16,
            max_new_tokens=self.orders.max_new_tokens,
        )

    def predict(self, model: torch.nn.Module, pack: list[Row], path: Path, *, stage: str) -> None:
        """Answer the pack, each process its share, and write the answers in the pack's order."""
        mine = pack[self.state.process_index :: self.state.num_processes]
        self.progress.stage(stage, len(mine))
        answers = self.answerer(model).answer_all(
            mine,
            batch_size=self.orders.batch_size,
            progress=self.progress,
            should_stop=self.lifeline.should_stop,
        )
        if len(answers) < len(mine):
            raise InterruptedRunError("interrupted while evaluating")
        pairs = [(row.id, answer) for row, answer in zip(mine, answers, strict=True)]
        found = dict(gather_object(pairs))
        if self.state.is_main_process:
            lines = [canonical.dumps({"id": r.id, "prediction": found[r.id]}) for r in pack]
            write_atomic(path, b"".join(line + b"\n" for line in lines), mode=0o600)

    def train(self, model: torch.nn.Module, probe: Row) -> torch.Tensor:
        """Train and save; returns the trained model's logits on `probe`."""
        rows = list(thaw(self.run.data, "train"))
        began = time.monotonic()
        trainer = VLMTrainer(
            self.base,
            rows,
            self.config,
            model=model,
            processor=self.processor,
            device=self.device,
            folder=self.run.checkpoints,
            side="prompt_end" if self.orders.truncation == "prompt_end" else "prompt_start",
            progress=self.progress,
            should_stop=self.lifeline.should_stop,
        ).train()
        seconds = time.monotonic() - began
        logits = self.answerer(trainer.model).logits(probe).cpu()
        if self.state.is_main_process:
            self.save(trainer, seconds)
        self.state.wait_for_everyone()
        return logits

    def save(self, trainer: VLMTrainer, seconds: float) -> None:
        """Write what was trained, sealed last; then the checkpoints are no longer needed."""
        self.progress.stage("save")
        folder = self.run.trained
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        trainer.save(folder / "adapter")
        (folder / "adapter" / "modules.json").rename(folder / "modules.json")
        self.processor.save_pretrained(folder / "processor")
        write_json(folder / "vlm_train.json", trainer.receipt())
        facts = describe_environment(self.device, self.state.num_processes)
        write_json(folder / "environment.json", {**facts, "training_seconds": round(seconds, 3)})
        seal(folder)
        shutil.rmtree(self.run.checkpoints, ignore_errors=True)

    def compare(self, trained: torch.Tensor, reloaded: torch.Tensor) -> None:
        """The adapter from disk must do what the trained model did: bit for bit on a CPU.

        Raises:
            VerificationError: it does not.
        """
        same = (
            torch.equal(trained, reloaded)
            if self.device == "cpu"
            else torch.allclose(trained, reloaded, rtol=1e-2, atol=1e-2)
        )
        if not same:
            shutil.rmtree(self.run.trained)
            raise VerificationError(
                "the saved adapter, loaded into a fresh base, does not give the trained model's"
                " logits"
            )


def write_json(path: Path, value: Any) -> None:
    """A small JSON file, whole or not at all."""
    write_atomic(path, json.dumps(value, indent=1).encode(), mode=0o600)


def start(folder: Path) -> None:
    """Do what `run.json` orders."""
    run, lifeline = RunFolder(folder), Lifeline()
    orders = Orders.read(folder)
    torch.set_num_threads(orders.threads)
    config = TrainSection(**orders.train)
    device = pick_device(orders.device)
    state = PartialState(cpu=device == "cpu")
    ordered = int(os.environ.get(PROCESSES_VARIABLE, state.num_processes))
    if state.num_processes != ordered:
        raise LackingError(
            Problem(
                f"{ordered} processes were ordered, and {state.num_processes} met",
                where="launch.num_processes",
            )
        )
    lock = lock_run(folder) if state.is_local_main_process else contextlib.nullcontext()
    progress = FileProgress(run.progress, active=state.is_main_process)
    with lock:
        base = resolve_base(
            orders.model,
            orders.revision or "main",
            trust_remote_code=orders.trust_remote_code,
        )
        processor = base.family.load_processor(base.source, **base.load_options())
        Worker(run, orders, base, config, device, processor, state, progress, lifeline).work()
    lifeline.release()


def main() -> None:
    """Run, and leave the reason behind when it fails."""
    folder = Path(sys.argv[1])
    try:
        start(folder)
    except (StoppedEarly, InterruptedRunError):
        # Threads of the data loader must not keep a stopped worker alive.
        os._exit(130)
    except KolmError as error:
        write_json(folder / "error.json", error.as_json()["error"])
        sys.exit(int(error.exit_code))
    except Exception as error:
        # The outermost frame of this process: the parent shows the reason.
        traceback.print_exc()
        problem = {"what": f"{type(error).__name__}: {error}", "where": "worker", "fix": ""}
        write_json(folder / "error.json", {"exit_code": 1, "problems": [problem], "hint": ""})
        sys.exit(1)


if __name__ == "__main__":
    main()
