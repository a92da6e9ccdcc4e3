"""The worker: `accelerate launch -m kolm_cli.run.worker RUN`. Trains, and has both scored."""

from __future__ import annotations

import contextlib
import errno
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
from safetensors.torch import load_file, save_file

from kolm_cli.answering.answerer import Answerer
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import (
    InterruptedRunError,
    KolmError,
    LackingError,
    Problem,
    VerificationError,
)
from kolm_cli.core.files import write_atomic
from kolm_cli.core.seals import is_sealed, seal
from kolm_cli.dataset.frozen import thaw
from kolm_cli.families.resolve import Base, resolve_base
from kolm_cli.records.row import Row
from kolm_cli.run.environment import describe_environment
from kolm_cli.run.folder import RunFolder
from kolm_cli.run.launch import PROCESSES_VARIABLE
from kolm_cli.run.lifeline import Lifeline, lock_run
from kolm_cli.run.orders import Orders
from kolm_cli.run.progress_file import FileProgress
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.adapter_files import load_adapter
from kolm_cli.trainer.base_model import load_base
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
            self.train(model or self.load_base())
        del model
        gc.collect()
        adapted = load_adapter(self.load_base(), self.base.family, self.run.trained / "adapter")
        answerer = self.answerer(adapted)
        if self.state.is_main_process:
            self.compare(answerer.logits(self.probe()))
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
        self.progress.stage(stage, len(mine), "rows")
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
            lines = [canonical_json.dumps({"id": r.id, "prediction": found[r.id]}) for r in pack]
            write_atomic(path, b"".join(line + b"\n" for line in lines), mode=0o600)

    def probe(self) -> Row:
        """The row on which the trained and the reloaded model are compared."""
        return next(thaw(self.run.data, "train"))

    def train(self, model: torch.nn.Module) -> None:
        """Train and save, with the trained model's logits on the probe."""
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
        logits = self.answerer(trainer.model).logits(self.probe())
        if self.state.is_main_process:
            self.save(trainer, logits, seconds)
        self.state.wait_for_everyone()

    def save(self, trainer: VLMTrainer, logits: torch.Tensor, seconds: float) -> None:
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
        # accelerate leaves the trained model's outputs in fp32 under bf16; compare like with like.
        save_file({"logits": logits.float().cpu().contiguous()}, folder / "probe.safetensors")
        seal(folder)
        shutil.rmtree(self.run.checkpoints, ignore_errors=True)

    def compare(self, reloaded: torch.Tensor) -> None:
        """The adapter from disk must do what the trained model did: bit for bit on a CPU.

        Raises:
            VerificationError: it does not.
        """
        trained = load_file(self.run.trained / "probe.safetensors")["logits"]
        reloaded = reloaded.float().cpu()
        exact = self.device == "cpu" and not self.config.bf16
        same = (
            torch.equal(trained, reloaded)
            if exact
            else torch.allclose(trained, reloaded, rtol=2e-2, atol=2e-2)
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
    if orders.device == "cuda":
        # Kernels that have no deterministic form still run, with a warning in the log.
        torch.use_deterministic_algorithms(True, warn_only=True)
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
        leave_reason(folder, error)
        sys.exit(int(error.exit_code))
    except Exception as error:
        # The outermost frame of this process: the parent shows the reason.
        traceback.print_exc()
        reason = describe_fault(error)
        leave_reason(folder, reason)
        sys.exit(int(reason.exit_code))


def describe_fault(error: Exception) -> KolmError:
    """What ran out is the environment's; anything else is a fault of kolm's."""
    if isinstance(error, torch.OutOfMemoryError):
        return LackingError(
            Problem("the GPU's memory is too small for this run", where="worker"),
            hint="lower train.per_device_train_batch_size or max_seq_length, or write"
            " gradient_checkpointing: true",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LackingError(
            Problem(f"no room is left: {error.strerror}", where=str(error.filename or "worker")),
            hint="free some space; the same command again continues",
        )
    return KolmError(Problem(f"{type(error).__name__}: {error}", where="worker"))


def leave_reason(folder: Path, error: KolmError) -> None:
    """Write `error.json`; the first process to fail says why, not those it took with it."""
    with contextlib.suppress(FileExistsError), (folder / "error.json").open("x") as stream:
        json.dump(error.as_json()["error"], stream)


if __name__ == "__main__":
    main()
