"""`evaluate.during`: rows of the pack that are asked while training, and what follows from it."""

from __future__ import annotations

import json
import os
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.jobs import Compiled, Job

CHOOSING = {
    "every": "0.5 epochs",
    "rows": 2,
    "metric": "loss",
    "keep": "best",
    "early_stopping": {"patience": 1, "min_delta": 9.0},
}


def trained(report: dict[str, Any]) -> dict[str, Any]:
    definition = report["receipt"]["predicate"]["buildDefinition"]
    block: dict[str, Any] = definition["internalParameters"]["vlm_train"]
    return block


def test_what_could_not_take_effect_is_refused_all_at_once(own_compiled: Compiled) -> None:
    job = own_compiled.job
    rows = [json.loads(line) for line in (job.folder / "eval.jsonl").read_text().splitlines()]
    for row in rows[2:4]:
        # It can be asked; to have a loss, it would have to fit with its answer.
        row["response"] = "red " * 2000
    (job.folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    during: dict[str, Any] = {"every": "5 steps", "rows": 5, "early_stopping": {"patience": 2}}
    job.write_spec(evaluate={"during": during})
    refused = job.kolm("validate", "spec.yaml")
    assert refused.code == 2
    assert (
        "evaluate.during.early_stopping.patience: has no effect: of 2 evaluations, 2 without an"
        " improvement are not over before the end" in refused.err
    )
    assert ", and evaluate.during computes its loss" in refused.err
    job.write_spec(evaluate={"during": {"every": "9 steps", "rows": 7, "keep": "best"}})
    refused = job.kolm("validate", "spec.yaml")
    assert refused.code == 2
    assert "evaluate.during.every: '9 steps' is longer than the training, which has 8 steps" in (
        refused.err
    )
    assert "evaluate.during.rows: the pack has 6 rows, not 7" in refused.err


def test_the_rows_that_choose_do_not_score(own_compiled: Compiled) -> None:
    job, before = own_compiled.job, own_compiled.report
    job.write_spec(evaluate={"during": CHOOSING})
    done = job.kolm("compile", "spec.yaml", "--json", "--progress", "json")
    assert done.code == 0, done.err
    report, during = done.json, done.json["during"]
    # Nothing improves by 9: it ends at the second evaluation, whose loss is the lower one.
    assert (during["steps_trained"], during["steps_planned"], during["kept_step"]) == (4, 8, 4)
    assert [one["step"] for one in during["evaluations"]] == [2, 4]
    notes = [json.loads(line).get("text", "") for line in done.err.splitlines()]
    assert any(note.startswith("step 4: accuracy 0.0000, loss ") for note in notes)
    assert "stopped early at step 4 of 8: no improvement in 1 evaluations" in notes
    assert any("the score and the gate are those of the other 4" in note for note in notes)
    # The receipt names the rows, and the pack has the others.
    facts = trained(report)
    asked = {row["id"] for row in facts["during"]["rows"]}
    with zipfile.ZipFile(report["bundle"]) as opened:
        lines = [json.loads(line) for line in opened.read("eval/pack.jsonl").splitlines()]
        spec = opened.read("spec.yaml").decode()
    assert len(asked) == 2
    assert asked | {line["id"] for line in lines} == {f"eval.jsonl:{n}" for n in range(1, 7)}
    assert len(lines) == 4
    assert "every: 0.5 epochs" in spec
    assert facts["evidence"]["optimizer_steps"] == 4
    verified = job.kolm("verify", report["bundle"], "--json").json
    assert verified["state"] == "trusted", verified
    # Said at the end, in the log, and when the whole pack is asked.
    again = job.kolm("compile", "spec.yaml")
    assert "training       stopped early at step 4 of 8; step 4 is kept, the best of 2" in again.out
    assert "on 2 rows outside the score)" in again.out
    assert " 4 of 8 " in job.kolm("log", "tiny").out.splitlines()[1]
    evaluated = job.kolm("eval", report["bundle"], "--pack", "eval.jsonl")
    assert "2 of 6 rows chose the bundle's weights while it was trained" in evaluated.err
    # Without it, nothing of a bundle changes.
    job.write_spec()
    plain = job.kolm("compile", "spec.yaml", "--json")
    assert plain.json["cid"] == before["cid"]
    assert plain.json["cached"] is True


@pytest.mark.slow
def test_sigkill_at_any_time_leads_to_the_same_decisions(new_job: Callable[..., Job]) -> None:
    steps = {"num_train_epochs": 10, "save_steps": 3}
    during = {**CHOOSING, "every": "1 steps", "early_stopping": {"patience": 8, "min_delta": 0.1}}
    whole = new_job(train=steps, evaluate={"during": during})
    done = whole.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    expected = done.json
    assert expected["during"]["steps_trained"] > 8
    killed = new_job(train=steps, evaluate={"during": during})
    kills = 0
    while kills < 4:
        process = killed.start("compile", "spec.yaml", "--json")
        known = {path.name for path in checkpoints(killed)}
        while process.poll() is None and {path.name for path in checkpoints(killed)} <= known:
            time.sleep(0.02)
        if process.poll() is not None:
            break
        kills += 1
        for child in children(process.pid):
            os.kill(child, signal.SIGKILL)
        process.kill()
        process.wait()
    assert kills
    resumed = killed.kolm("compile", "spec.yaml", "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.json["cid"] == expected["cid"]
    assert resumed.json["during"] == expected["during"]
    assert trained(resumed.json) == trained(expected)
    page = killed.folder / "page.html"
    assert killed.kolm("report", resumed.json["bundle"], "-o", page).code == 0
    text = page.read_text()
    assert "Accuracy on 2 rows of the pack" in text
    assert "These rows chose the weights, and are no part of the score." in text


@pytest.mark.slow
def test_two_processes_decide_alike(new_job: Callable[..., Job]) -> None:
    job = new_job(
        train={"num_train_epochs": 4, "per_device_train_batch_size": 2},
        evaluate={"during": CHOOSING},
        launch={"num_processes": 2},
    )
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    during = done.json["during"]
    assert (during["steps_trained"], during["steps_planned"]) == (4, 16)
    assert job.kolm("verify", done.json["bundle"]).code == 0


def checkpoints(job: Job) -> list[Path]:
    return list((job.home / "runs").glob("*/checkpoints/checkpoint-*/sealed.json"))


def children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]
