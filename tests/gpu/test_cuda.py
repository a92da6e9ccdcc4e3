"""For whoever has a GPU: none of this has been run by kolm's developers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.support.jobs import Job

pytestmark = pytest.mark.gpu


def test_a_compile_on_the_gpu_in_bf16(new_job: Callable[..., Job]) -> None:
    assert torch.cuda.is_available(), "make test-gpu needs a CUDA device"
    job = new_job(launch={"device": "cuda"}, train={"bf16": True})
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    assert job.kolm("verify", done.json["bundle"]).code == 0
    evidence = done.json["receipt"]["predicate"]["buildDefinition"]["internalParameters"][
        "vlm_train"
    ]["evidence"]
    assert evidence["tensors_changed"] == evidence["tensors_trainable"]


def test_the_tower_s_kept_output_trains_alike(new_job: Callable[..., Job]) -> None:
    job = new_job(launch={"device": "cuda"}, train={"bf16": True, "cache_vision": True})
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_make_one_run(new_job: Callable[..., Job]) -> None:
    job = new_job(launch={"device": "cuda", "num_processes": 2}, train={"bf16": True})
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
