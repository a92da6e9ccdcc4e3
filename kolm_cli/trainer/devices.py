"""The device of a run: choosing it, naming it, and asking it for the same sums every time."""

from __future__ import annotations

import contextlib
import gc
import os
import platform
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from kolm_cli.core.errors import LackingError, Problem

T = TypeVar("T")

_NO_FORM = re.compile(r"(\S+) does not have a deterministic implementation")


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


def check_gpus(processes: int, *, bf16: bool) -> None:
    """Refuse what the GPUs of this machine cannot do, before anything is loaded.

    Raises:
        LackingError: there are fewer GPUs than processes, or they have no bf16.
    """
    problems = []
    if torch.cuda.device_count() < processes:
        problems.append(
            Problem(
                f"{processes} processes need as many GPUs, and there are"
                f" {torch.cuda.device_count()}",
                where="launch.num_processes",
                fix=f"write num_processes: {torch.cuda.device_count()}",
            )
        )
    if bf16 and not torch.cuda.is_bf16_supported():
        problems.append(
            Problem("this GPU has no bf16", where="train.bf16", fix="write bf16: false")
        )
    if problems:
        raise LackingError(*problems)


def hardware(device: str) -> str:
    """What decides the rounding of sums: the GPU's name, or the processor's architecture."""
    if device == "cuda":
        return torch.cuda.get_device_name(0)
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def settle_numerics() -> None:
    """State what another version of torch might decide otherwise: no TF32, one order of sums."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    # cuBLAS reads it when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@dataclass
class Determinism:
    """Whether a run's operations give the same bits every time.

    On a CPU they do, with a fixed number of threads; a GPU has to be asked.

    Attributes:
        device: `cuda` or `cpu`.
        without: the operations that have no deterministic form on this device; with any, the same
            inputs need not give the same CID.
    """

    device: str
    without: list[str] = field(default_factory=list)

    @property
    def promised(self) -> bool:
        """Whether the same inputs give the same bits."""
        return not self.without

    @contextlib.contextmanager
    def asked_for(self) -> Iterator[None]:
        """Ask torch for deterministic forms while the block lasts.

        Only with `warn_only=False` does flash attention take its deterministic backward. Filling
        new memory, which torch does beside it, costs time and decides nothing here: every tensor
        is written before it is read.
        """
        if self.device == "cpu":
            yield
            return
        before = (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        )
        torch.use_deterministic_algorithms(True, warn_only=not self.promised)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            torch.utils.deterministic.fill_uninitialized_memory = before[2]  # type: ignore[attr-defined]

    def run(self, work: Callable[[], T], note: Callable[[str], None]) -> T:
        """Do `work` deterministically; where an operation cannot be, say so and do it again.

        Args:
            work: starts from nothing each time that it is called.
            note: told which operation has no deterministic form.
        """
        try:
            with self.asked_for():
                return work()
        except RuntimeError as error:
            found = _NO_FORM.search(str(error))
            if found is None or not self.promised:
                raise
            self.without.append(found[1])
        note(
            f"{self.without[-1]} has no deterministic form on this device: the run starts again"
            " without asking for one, and the same inputs need not give the same CID"
        )
        # What the first attempt left behind may hold a whole model.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        with self.asked_for():
            return work()
