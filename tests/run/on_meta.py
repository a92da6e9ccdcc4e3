"""The worker with the meta device in a GPU's place: everything but values."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from accelerate import PartialState
from accelerate.state import AcceleratorState

from kolm_cli.dataset.frozen import freeze
from kolm_cli.plan.follow import Follower
from kolm_cli.plan.gpu_forms import GpuForms, fused_on_meta
from kolm_cli.plan.where import Where
from kolm_cli.run.folder import RunFolder
from kolm_cli.run.orders import Orders
from kolm_cli.run.worker import Worker
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.devices import Determinism
from kolm_cli.trainer.evidence import Evidence, EvidenceError
from tests.support.cases import BUDGET, Case, Notes


@contextlib.contextmanager
def meta_for_cuda() -> Iterator[Follower]:
    """What asks for the process's device gets `meta`, and the engine follows all of it.

    The engine refuses operations that mix host and device. What the host fetches of values that
    nobody computed is zeros.
    """
    follower, forms = Follower(Where()), GpuForms(bf16=True)
    kept = dict(PartialState._shared_state), dict(AcceleratorState._shared_state)
    AcceleratorState._reset_state(reset_partial_state=True)
    autocast = torch.autocast

    def on_gpu(device_type: str, *args: Any, **kwargs: Any) -> Any:
        if device_type != "meta":
            return autocast(device_type, *args, **kwargs)
        return forms.casting() if kwargs.get("enabled", True) else forms.plain()

    bf16 = mock.patch("transformers.training_args.is_torch_bf16_gpu_available", return_value=True)
    device = mock.patch.dict(os.environ, ACCELERATE_TORCH_DEVICE="meta")
    try:
        with (
            bf16,
            device,
            mock.patch.object(torch, "autocast", on_gpu),
            fused_on_meta(),
            follower,
            forms,
        ):
            assert PartialState().device.type == "meta"
            # Whatever a model says, it must not be the end of the answer.
            follower.answers = 1
            yield follower
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
        PartialState._shared_state.update(kept[0])
        AcceleratorState._shared_state.update(kept[1])


def worker_for(case: Case, folder: Path, **options: Any) -> Worker:
    """A worker whose run has eight rows to train on, and two to answer."""
    run = RunFolder(folder)
    rows = [case.row((f"How long is {i}?", "7 or 8"), name=f"row{i}") for i in range(8)]
    for place, split, some in (
        (run.data, "train", rows), (run.evaluation("pack"), "eval", rows[:2]),
    ):  # fmt: skip
        place.mkdir(parents=True)
        freeze(some, place, split)
    run.checkpoints.mkdir()
    train = {
        "lora_r": 4, "max_seq_length": BUDGET, "save_steps": 1, "gradient_accumulation_steps": 2,
        **options,
    }  # fmt: skip
    orders = Orders(
        model=str(case.folder), revision="", trust_remote_code=False, train=train, device="cuda",
        threads=1, truncation="prompt_start", images={}, evaluation="pack", max_new_tokens=3,
        batch_size=2, parent="",
    )  # fmt: skip
    return Worker(
        run=run,
        orders=orders,
        base=case.base,
        config=TrainSection(**train),
        device="meta",
        encoder=case.encoder(),
        state=PartialState(),
        progress=Notes(),  # type: ignore[arg-type]
        lifeline=SimpleNamespace(should_stop=lambda: False),  # type: ignore[arg-type]
        determinism=Determinism("cpu"),
    )


@contextlib.contextmanager
def without_values() -> Iterator[list[str]]:
    """Let a run end whose evidence has no values to look at; yields what was missing in it."""
    missing: list[str] = []
    conclude = Evidence.conclude

    def concluded(evidence: Evidence, ledger: Any) -> dict[str, Any]:
        try:
            return conclude(evidence, ledger)
        except EvidenceError as error:
            missing.extend(problem.what for problem in error.problems)
        return {}

    with mock.patch.object(Evidence, "conclude", concluded):
        yield missing
