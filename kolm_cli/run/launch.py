"""Starting the worker through `accelerate launch`, following it, and never leaving it behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import psutil
import yaml

from kolm_cli.core.errors import (
    ExitCode,
    InputError,
    InterruptedRunError,
    KolmError,
    LackingError,
    Problem,
    VerificationError,
)
from kolm_cli.core.files import write_atomic
from kolm_cli.core.progress import Progress
from kolm_cli.core.seals import is_sealed
from kolm_cli.run.folder import RunFolder
from kolm_cli.run.progress_file import ProgressReader
from kolm_cli.run.signals import StopSignals
from kolm_cli.spec.model import LaunchSection
from kolm_cli.trainer import checkpoints

WORKER = "kolm_cli.run.process"
# What was ordered, so that the worker can tell a launch that silently made fewer.
PROCESSES_VARIABLE = "KOLM_PROCESSES"
POLL_SECONDS = 0.1
# Longer than the worker's own grace, which lets a step end and a checkpoint be written.
PATIENCE_SECONDS = 40.0
_TAIL_LINES = 15


def accelerate_config(launch: LaunchSection) -> dict[str, Any]:
    """A configuration of our own: one in the user's cache folder would silently change runs."""
    several = launch.num_processes > 1
    # Under MULTI_CPU the launcher starts a single process and says nothing (it leaves the others
    # to mpirun). As MULTI_GPU it uses torchrun, and our environment says which device is meant.
    kind = "MULTI_GPU" if several else "NO"
    config: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": kind,
        "mixed_precision": "no",
        "num_machines": 1,
        "num_processes": launch.num_processes,
        "machine_rank": 0,
        "use_cpu": launch.device == "cpu" and not several,
        "rdzv_backend": "static",
        "same_network": True,
        "main_training_function": "main",
        "debug": False,
    }
    # 0 is any free port: with the launcher's own default, two runs on a machine would meet.
    config["main_process_port"] = launch.main_process_port or 0
    return config


def command(run: RunFolder, launch: LaunchSection, threads: int) -> list[str]:
    """The command line of the launcher."""
    return [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--config_file",
        str(run.path / "accelerate.yaml"),
        # Unless told, the launcher sets OMP threads to 1: slow, and other sums.
        "--num_cpu_threads_per_process",
        str(threads),
        "-m",
        WORKER,
        str(run.path),
    ]


def environment(launch: LaunchSection, threads: int) -> dict[str, str]:
    """The worker's environment: no hub, no telemetry, no guesses about devices."""
    result = {k: v for k, v in os.environ.items() if not k.startswith("ACCELERATE_")}
    result.update(
        HF_HUB_OFFLINE="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        TOKENIZERS_PARALLELISM="false",
        OMP_NUM_THREADS=str(threads),
        # Threads that spin while they wait starve whatever else runs on the same processors.
        OMP_WAIT_POLICY="PASSIVE",
        MKL_NUM_THREADS=str(threads),
        PYTHONHASHSEED="0",
        PYTHONUNBUFFERED="1",
        **{PROCESSES_VARIABLE: str(launch.num_processes)},
    )
    # A secret of the command's is none of the worker's business.
    for name in ("KOLM_SIGNING_KEY", "KOLM_KEY_PASSPHRASE"):
        result.pop(name, None)
    if launch.device == "cpu":
        result["ACCELERATE_USE_CPU"] = "true"
        result["CUDA_VISIBLE_DEVICES"] = ""
    else:
        # What cuBLAS needs to sum in the same order every time.
        result["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    return result


def launch(
    run: RunFolder,
    section: LaunchSection,
    threads: int,
    progress: Progress,
    trackers: Mapping[str, str] | None = None,
) -> None:
    """Run the worker to its end.

    Args:
        run: its folder, with its orders.
        section: the devices and processes.
        threads: torch's threads in each process.
        progress: told what the worker tells.
        trackers: variables of the worker's that say where it tells of the training.

    Raises:
        InterruptedRunError: SIGINT or SIGTERM arrived; the worker has ended, and left what it
            can be resumed from.
        KolmError: what the worker says went wrong.
    """
    write_atomic(run.path / "accelerate.yaml", yaml.safe_dump(accelerate_config(section)).encode())
    run.progress.write_bytes(b"")
    run.error.unlink(missing_ok=True)
    progress.stage("start worker")
    with run.log.open("wb") as log, StopSignals() as signals:
        process = subprocess.Popen(
            command(run, section, threads),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**environment(section, threads), **(trackers or {})},
            # A group of its own: Ctrl-C reaches this process only, which then ends it in order.
            start_new_session=True,
        )
        try:
            _follow(process, signals, ProgressReader(run.progress, progress), progress)
        finally:
            _end_group(process)
    if signals.received:
        raise InterruptedRunError(
            f"interrupted by {signal.Signals(signals.received).name}",
            *(_failure(run, process.returncode).problems if run.error.exists() else ()),
            hint=what_is_kept(run),
        )
    if process.returncode != 0:
        raise _failure(run, process.returncode)


def _follow(
    process: subprocess.Popen[bytes],
    signals: StopSignals,
    follower: ProgressReader,
    progress: Progress,
) -> None:
    deadline: float | None = None
    while process.poll() is None:
        follower.read()
        if signals.received and deadline is None and process.stdin is not None:
            progress.note(
                "stopping: the worker finishes its step and writes a checkpoint; Ctrl-C once more"
                " ends it at once, without one"
            )
            process.stdin.close()
            deadline = time.monotonic() + PATIENCE_SECONDS
        if deadline is not None and (signals.at_once or time.monotonic() > deadline):
            return
        time.sleep(POLL_SECONDS)
    follower.read()


def what_is_kept(run: RunFolder) -> str:
    """What the same command will begin with: said after looking, when the worker has ended."""
    if is_sealed(run.trained):
        return "the adapter is trained; the same command again continues with its evaluation"
    found = checkpoints.latest(run.checkpoints)
    if found is None:
        return "no checkpoint was finished; the same command again trains from the beginning"
    return f"the same command again resumes {checkpoints.going_on(*found)}"


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Leave no process of the group behind, whatever happened."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    # torchrun gives its workers sessions of their own, so that the group alone is not enough.
    family = []
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
    psutil.wait_procs(family, timeout=10)


def _failure(run: RunFolder, code: int) -> KolmError:
    """The worker's own words, or the end of its log when it had none."""
    try:
        said = json.loads(run.error.read_bytes())
    except (OSError, ValueError):
        tail = run.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        reason = f"it was killed by signal {-code}" if code < 0 else f"it ended with {code}"
        return KolmError(
            Problem(f"the worker died: {reason}", where=str(run.log)),
            hint="its last lines were:\n  " + "\n  ".join(tail),
        )
    kinds: dict[int, type[KolmError]] = {
        ExitCode.INPUT: InputError,
        ExitCode.VERIFICATION: VerificationError,
        ExitCode.ENVIRONMENT: LackingError,
    }
    problems = [Problem(**problem) for problem in said["problems"]]
    return kinds.get(said["exit_code"], KolmError)(*problems, hint=said["hint"])
