"""The process of a run: `accelerate launch -m kolm_cli.run.process RUN`."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from pathlib import Path

import torch
from accelerate import PartialState

from kolm_cli.core.errors import InterruptedRunError, KolmError, LackingError, Problem
from kolm_cli.encoding.encoder import Encoder, Limits
from kolm_cli.families.image_limits import ImageLimits
from kolm_cli.families.resolve import resolve_base
from kolm_cli.run.faults import describe_fault, keep_room, leave_reason
from kolm_cli.run.folder import RunFolder
from kolm_cli.run.launch import PROCESSES_VARIABLE
from kolm_cli.run.lifeline import Lifeline, lock_run
from kolm_cli.run.orders import Orders
from kolm_cli.run.progress_file import FileProgress
from kolm_cli.run.worker import Worker
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.adapter_trainer import StoppedEarly
from kolm_cli.trainer.devices import Determinism, pick_device, settle_numerics


def start(folder: Path) -> None:
    """Do what `run.json` orders."""
    run, lifeline = RunFolder(folder), Lifeline()
    keep_room(folder)
    orders = Orders.read(folder)
    torch.set_num_threads(orders.threads)
    config = TrainSection(**orders.train)
    device = pick_device(orders.device)
    settle_numerics()
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
            orders.model, orders.revision or "main", trust_remote_code=orders.trust_remote_code
        )
        limits = Limits(config.max_seq_length, side=orders.truncation)
        encoder = Encoder.for_base(base, limits, ImageLimits(**orders.images), config.loss_on)
        Worker(
            run, orders, base, config, device, encoder, state, progress, lifeline,
            Determinism(device),
        ).work()  # fmt: skip
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
        reason = describe_fault(error, folder)
        leave_reason(folder, reason)
        sys.exit(int(reason.exit_code))


if __name__ == "__main__":
    main()
