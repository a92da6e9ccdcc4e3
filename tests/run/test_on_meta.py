"""The whole worker without values, for every family: nothing mixes the host and the device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kolm_cli.core.seals import is_sealed
from tests.run.on_meta import meta_for_cuda, without_values, worker_for
from tests.support.cases import Case

VALUES = {"trainable, but saw no gradient", "is not finite any more; lower the learning rate"}


def whole_worker(case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From loading to the answers of the saved adapter.

    Two spots need values. What the evidence fetches of gradients and weights is zeros, so that it
    would refuse the run, as it has to: no trained tensor saw a gradient or is finite. And the
    reload check compares logits that nobody computed.
    """
    monkeypatch.setattr("kolm_cli.answering.answerer.ANSWERS", 1)
    monkeypatch.setattr("kolm_cli.answering.answerer.WARM_UP", 0)
    monkeypatch.setattr("kolm_cli.run.reload_check.Probe.compare", lambda *_: "")
    # Other processes encode rows as they do elsewhere, and are slow to start.
    monkeypatch.setattr("kolm_cli.trainer.adapter_trainer.choose_workers", lambda *_: (0, ""))
    with meta_for_cuda() as follower, without_values() as missing:
        worker = worker_for(case, folder)
        worker.work()
    assert set(missing) == VALUES
    trained = worker.run.trained
    assert is_sealed(trained)
    assert (trained / "adapter" / "adapter_model.safetensors").is_file()
    assert is_sealed(worker.run.evaluation("pack"))
    # Forward, backward and the optimizer were on the device.
    assert {"aten.nll_loss_backward.default", "aten._fused_adamw_.default"} <= set(
        follower.operations
    )


def test_one_family(
    new_case: Callable[..., Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_worker(new_case("qwen2_5_vl"), tmp_path, monkeypatch)


@pytest.mark.slow
def test_every_family(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole_worker(case, tmp_path, monkeypatch)
