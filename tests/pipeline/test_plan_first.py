"""A compile on a GPU plans first. There is none here, so that the card is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.errors import KolmError, LackingError, Problem
from kolm_cli.core.progress import Silent
from kolm_cli.pipeline import compile as compiling
from kolm_cli.pipeline.inputs import gather
from kolm_cli.pipeline.plan_first import keep_plan, kept_plan, plan_first
from kolm_cli.pipeline.preflight import preflight
from kolm_cli.plan.card_here import sheet_of
from kolm_cli.plan.cards import CARDS
from tests.support.jobs import Job

A100 = CARDS["a100-80gb"]


@pytest.fixture(scope="module")
def job(new_job: Callable[..., Job]) -> Job:
    return new_job("llava_next", train={"bf16": True, "lora_r": 4})


def test_what_fits_is_planned_and_what_does_not_is_refused(job: Job) -> None:
    inputs = gather(job.spec)
    checked = preflight(inputs, Silent())
    facts = plan_first(inputs, checked, A100, Silent())
    assert 0 < facts["live_bytes"] < facts["needed_bytes"]
    assert facts["seconds_a_step"] > 0
    # Too little for the step as it is, and enough for the context with a checkpointed one.
    small = replace(A100, memory=facts["needed_bytes"] - 1)
    with pytest.raises(LackingError) as refused:
        plan_first(inputs, checked, small, Silent())
    [problem] = refused.value.problems
    assert "the largest step needs" in problem.what
    assert problem.fix == "write train: {gradient_checkpointing: true}"
    assert "--no-plan" in refused.value.hint


def test_the_plan_is_kept_for_the_receipt(tmp_path: Path) -> None:
    assert kept_plan(tmp_path) is None
    keep_plan(tmp_path, {"live_bytes": 1})
    assert kept_plan(tmp_path) == {"live_bytes": 1}


@pytest.mark.parametrize("option", ["--plan", "--no-plan"])
def test_compile_asks_for_a_plan_unless_told(
    job: Job, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a pretended GPU, with a plan that refuses, and a training that is never reached."""

    def refuse(*_: Any) -> dict[str, Any]:
        raise LackingError(Problem("does not fit"))

    def reached(*_: Any, **__: Any) -> None:
        raise KolmError(Problem("training began"))

    monkeypatch.setattr(compiling, "require_device", lambda _: None)
    monkeypatch.setattr(compiling, "plan_first", refuse)
    monkeypatch.setattr(compiling, "train", reached)
    monkeypatch.setattr("kolm_cli.plan.card_here.card_here", lambda: A100)
    done = job.kolm("compile", "spec.yaml", "--device", "cuda", option)
    planned = option == "--plan"
    assert done.code == (5 if planned else 1), done.err
    assert ("does not fit" in done.err) == planned
    assert ("training began" in done.err) == (not planned)


def test_compile_refuses_what_a_stated_card_cannot_hold(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole command, with the real plan, on a pretended GPU of 1.4 GB: nothing is begun."""
    small = replace(A100, memory=A100.given.context)
    monkeypatch.setattr(compiling, "require_device", lambda _: None)
    monkeypatch.setattr("kolm_cli.plan.card_here.card_here", lambda: small)
    done = job.kolm("compile", "spec.yaml", "--device", "cuda")
    assert done.code == 5, done.err
    assert "the largest step needs" in done.err
    assert "take a larger card: t4" not in done.err  # it has no bf16
    assert "take a larger card: a10" in done.err
    assert "--no-plan" in done.err
    assert not (job.folder / "dist").exists()


def test_a_cpu_is_not_planned_for(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def reached(inputs: Any, checked: Any, progress: Any, planned: Any, **_: Any) -> None:
        seen.append(planned)
        raise KolmError(Problem("training began"))

    monkeypatch.setattr(compiling, "train", reached)
    assert job.kolm("compile", "spec.yaml").code == 1
    assert seen == [None]


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("NVIDIA A100-SXM4-40GB", "a100-40gb"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("Tesla T4", "t4"),
        ("NVIDIA A10G", None),
        ("AMD Instinct MI300X", None),
    ],
)
def test_sheets_are_found_by_the_device_s_name(device: str, name: str | None) -> None:
    assert sheet_of(device) == (CARDS[name] if name else None)


def test_the_receipt_s_environment_may_say_what_was_planned() -> None:
    from kolm_cli.bundle.checks.claims import related

    assert related("receipt.environment.planned.live_bytes", ())
    assert related("receipt.environment.peak_bytes", ())
