"""A folder, a device or a place for the bundle that is not there: the advice fits the command."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.jobs import Compiled, Job


def test_out_where_no_file_can_be_written_is_exit_2_before_training(
    new_job: Callable[..., Job],
) -> None:
    job = new_job()
    done = job.kolm("compile", "spec.yaml", "--out", "/proc/x/y.kolm")
    assert done.code == 2, done.err
    assert "/proc/x/y.kolm: no file can be written there" in done.err
    assert not (job.home / "runs").exists()


def test_a_bare_base_name_is_looked_for_as_a_folder_too(new_job: Callable[..., Job]) -> None:
    job = new_job(base={"model": "nodir"})
    done = job.kolm("validate", "spec.yaml", HF_HOME=str(job.folder / "no-cache"))
    assert done.code == 5
    assert "there is no folder nodir" in done.err


def test_run_without_a_gpu_says_which_option_to_use(compiled: Compiled) -> None:
    done = compiled.job.kolm_process(
        "run", compiled.bundle, "--prompt", "x", "--device", "cuda", CUDA_VISIBLE_DEVICES=""
    )
    assert done.code == 5
    assert "there is no GPU here" in done.err
    assert "--device cpu" in done.err
    assert "launch" not in done.err


def test_run_with_a_base_folder_that_is_not_there(compiled: Compiled) -> None:
    done = compiled.job.kolm("run", compiled.bundle, "--prompt", "x", "--base", "nodir")
    assert done.code == 2
    assert "--base nodir: there is no such folder" in done.err
    assert "hf download" not in done.err
