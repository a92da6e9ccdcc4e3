"""Two processes on the CPU make one run, also when one of them has no image in a batch."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from kolm_cli.run import launch
from kolm_cli.run.folder import RunFolder
from kolm_cli.spec.model import LaunchSection
from tests.support.cases import Case


def _run(case: Case, folder: Path, *, processes: int, batch: int) -> list[dict[str, Any]]:
    folder.mkdir()
    section = LaunchSection(device="cpu", num_processes=processes)
    (folder / "accelerate.yaml").write_text(yaml.safe_dump(launch.accelerate_config(section)))
    (folder / "job.json").write_text(json.dumps({"base": str(case.folder), "batch": batch}))
    environment = {**launch.environment(section, 1), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        launch.command(RunFolder(folder), section, 1),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [torch.load(folder / f"rank{rank}.pt") for rank in range(processes)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qwen2_5_vl", "llava_next", "idefics3"])
def test_two_ranks_are_one_run(
    new_case: Callable[..., Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(launch, "WORKER", "tests.run.ddp_worker")
    case = new_case(name)
    [alone] = _run(case, tmp_path / "one", processes=1, batch=2)
    ranks = _run(case, tmp_path / "two", processes=2, batch=1)
    assert [rank["world"] for rank in ranks] == [2, 2]
    assert [len(run["gradients"]) for run in (alone, *ranks)] == [4, 4, 4]
    assert [r["receipt"]["evidence"]["optimizer_steps"] for r in ranks] == [4, 4]
    for name, weight in ranks[0]["weights"].items():
        assert torch.equal(weight, ranks[1]["weights"][name]), name
    # The same two rows a step: a wrong share of either rank would show in the first gradient.
    for name, gradient in alone["gradients"][0].items():
        for rank in ranks:
            found = rank["gradients"][0][name]
            assert (found - gradient).norm() <= 1e-5 * gradient.norm() + 1e-9, name


def test_several_processes_on_a_cpu_are_launched_by_torchrun() -> None:
    """As MULTI_CPU the launcher starts one process and says nothing."""
    config = launch.accelerate_config(LaunchSection(device="cpu", num_processes=2))
    assert config["distributed_type"] == "MULTI_GPU"
    assert config["use_cpu"] is False
    environment = launch.environment(LaunchSection(device="cpu", num_processes=2), 1)
    assert environment["ACCELERATE_USE_CPU"] == "true"
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    assert environment[launch.PROCESSES_VARIABLE] == "2"
