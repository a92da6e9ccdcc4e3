"""Which commands need the device of a spec, and how another one is given."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.jobs import Compiled, Job


def test_validating_needs_no_device(new_job: Callable[..., Job]) -> None:
    """It checks every row and shows the mask, on a laptop as in CI."""
    job = new_job(launch={"device": "cuda"})
    done = job.kolm("validate", "spec.yaml", "--show-mask", "1")
    assert done.code == 0, done.err
    assert "⟦" in done.out


def test_compiling_looks_for_the_device_before_the_rows(new_job: Callable[..., Job]) -> None:
    job = new_job(launch={"device": "cuda"})
    (job.folder / "train.jsonl").write_text('{"image": "gone.png", "prompt": "?"}\n')
    done = job.kolm_process("compile", "spec.yaml", CUDA_VISIBLE_DEVICES="")
    assert done.code == 5, done.err
    assert "there is no GPU here" in done.err
    assert "gone.png" not in done.err
    assert "check training rows" not in done.err


def test_another_device_can_be_given(own_compiled: Compiled) -> None:
    """The same inputs on the same device are the same result, however the device was said."""
    job = own_compiled.job
    job.write_spec(launch={"device": "cuda"})
    done = job.kolm("compile", "spec.yaml", "--device", "cpu", "--json")
    assert done.code == 0, done.err
    assert done.json["cached"] is True
    assert done.json["cid"] == own_compiled.report["cid"]
