"""`train.report_to`, offline: what trackers hear, and that they decide nothing."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kolm_cli.core.errors import LackingError
from kolm_cli.core.progress import Silent
from kolm_cli.pipeline import trackers
from kolm_cli.pipeline.inputs import gather
from kolm_cli.run.folder import RunFolder
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.adapter_trainer import VLMTrainer
from kolm_cli.trainer.during import During, Figures
from tests.support.cases import Case
from tests.support.jobs import Job

REPORT = {
    "cid": "bafkreib",
    "accuracy": 0.75,
    "base_accuracy": 0.25,
    "k_score": {"k": None},
    "gate": {"passed": True},
}


def train_and_tell(case: Case, run: RunFolder, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short training and its bundle, as a compile tells of them."""
    with monkeypatch.context() as patch:
        for key, value in trackers.environment([name], "chart-qa", run).items():
            patch.setenv(key, value)
        rows = [case.row((f"hue {n}?", "red"), name=f"row {n}") for n in range(3)]
        trainer = VLMTrainer(
            case.base,
            rows,
            TrainSection(bf16=False, gradient_accumulation_steps=1, report_to=name),
            model=case.fresh(),
            encoder=case.encoder(None),
            device="cpu",
            folder=run.checkpoints,
            progress=Silent(),
            during=During(
                {"every": "2 steps", "rows": 1}, {}, rows[:1], lambda *_: Figures(1.5, 0.25)
            ),
        ).train()
    if name == "wandb":
        # The worker's process ends here; the two parts are told apart by the second they began.
        import wandb

        wandb.finish()
        time.sleep(1.1)
    assert "report_to" not in trainer.receipt()
    inputs: Any = SimpleNamespace(
        spec=SimpleNamespace(name="chart-qa", train=SimpleNamespace(report_to=(name,)))
    )
    bundled: Any = SimpleNamespace(path=run.path / "chart-qa.kolm", report=REPORT)
    notes: list[str] = []
    progress = SimpleNamespace(stage=lambda *_: None, note=notes.append)
    trackers.tell(inputs, run, bundled, progress)  # type: ignore[arg-type]
    assert not any("was not told" in note for note in notes), notes


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / ("ab" * 32))
    folder.checkpoints.mkdir(parents=True)
    return folder


def test_tensorboard(
    run: RunFolder, new_case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_and_tell(new_case("qwen2_5_vl"), run, "tensorboard", monkeypatch)
    found: dict[str, list[float]] = {}
    for file in trackers.tensorboard_folder(run).iterdir():
        events = EventAccumulator(str(file)).Reload()
        for tag in events.Tags()["scalars"]:
            found[tag] = [event.value for event in events.Scalars(tag)]
        for tag in events.Tags()["tensors"]:
            found[tag] = [event.tensor_proto.string_val[0] for event in events.Tensors(tag)]
    assert len(found["train/loss"]) == 3
    assert {"train/grad_norm", "train/tokens_per_second", "train/rate_projector"} <= found.keys()
    # Evaluated after the second step and the last.
    assert (found["eval/loss"], found["eval/accuracy"]) == ([1.5, 1.5], [0.25, 0.25])
    assert found["kolm/accuracy"] == [0.75]
    assert found["kolm/cid/text_summary"] == [b"bafkreib"]
    assert "kolm/k" not in found


@pytest.mark.slow
def test_wandb(
    run: RunFolder, new_case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    train_and_tell(new_case("qwen2_5_vl"), run, "wandb", monkeypatch)
    files = sorted(run.path.glob("wandb/offline-run-*/*.wandb"))
    # Both belong to one run, which is named by the training.
    assert {file.name for file in files} == {f"run-{'ab' * 16}.wandb"}
    data = b"".join(file.read_bytes() for file in files)
    for words in (b"train/loss", b"kolm/accuracy", b"bafkreib", b"chart-qa.kolm"):
        assert words in data, words


@pytest.mark.interop  # tests/interop/setup.sh installs it where it changes nothing else
def test_mlflow(
    run: RunFolder, new_case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    train_and_tell(new_case("qwen2_5_vl"), run, "mlflow", monkeypatch)
    client = mlflow.MlflowClient()
    (experiment,) = [e for e in client.search_experiments() if e.name == "kolm"]
    (told,) = client.search_runs([experiment.experiment_id])
    assert told.info.status == "FINISHED"
    assert told.info.run_name == "chart-qa-abababab"
    losses = client.get_metric_history(told.info.run_id, "loss")
    assert [one.step for one in losses] == [1, 2, 3]
    assert told.data.metrics["kolm/accuracy"] == 0.75
    assert told.data.tags["kolm.cid"] == "bafkreib"
    assert told.data.tags["kolm.receipt"].endswith("chart-qa.kolm")
    assert client.list_artifacts(told.info.run_id) == []


@pytest.mark.interop
def test_trackio(
    run: RunFolder, new_case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # read when it is imported
    pytest.importorskip("trackio")
    train_and_tell(new_case("qwen2_5_vl"), run, "trackio", monkeypatch)
    (kept,) = (tmp_path / "trackio").glob("*.db")
    with contextlib.closing(sqlite3.connect(kept)) as store:
        lines = store.execute("SELECT run_name, metrics FROM metrics ORDER BY id").fetchall()
    assert {name for name, _ in lines} == {"chart-qa-abababab"}
    found = [json.loads(metrics) for _, metrics in lines]
    assert sum("train/loss" in one for one in found) == 3
    assert found[-1]["kolm/accuracy"] == 0.75
    assert found[-1]["kolm/cid"] == "bafkreib"
    assert found[-1]["kolm/receipt"].endswith("chart-qa.kolm")


def test_a_tracker_decides_nothing(
    new_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = new_job()
    monkeypatch.setenv("KOLM_HOME", str(job.home))
    before = gather(job.spec)
    job.write_spec(train={"report_to": ["tensorboard", "wandb"]})
    after = gather(job.spec)
    assert after.spec.train.report_to == ("tensorboard", "wandb")
    assert before.keys == after.keys


def test_what_is_not_installed_is_said_before_training() -> None:
    with pytest.raises(LackingError, match="nothere is not installed"):
        trackers.require(["json", "nothere"])


@pytest.mark.parametrize("value", ["aim", ["wandb", "wandb"], [1], {}])
def test_other_names_are_refused(value: Any, new_job: Callable[..., Job]) -> None:
    job = new_job()
    job.write_spec(train={"report_to": value})
    done = job.kolm("validate", "spec.yaml")
    assert done.code == 2
    assert re.search(r"train\.report_to: .*(is no tracker|named twice)", done.err), done.err
    assert json.loads(job.spec.read_text())["train"]["report_to"] == value


def test_one_that_fails_costs_a_note(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what it prints gets into no JSON document."""

    def fail(*_: Any) -> None:
        print("View your run at https://…")
        raise OSError("no network")

    monkeypatch.setitem(trackers._TELLERS, "wandb", fail)
    inputs: Any = SimpleNamespace(
        spec=SimpleNamespace(name="x", train=SimpleNamespace(report_to=("wandb",)))
    )
    bundled: Any = SimpleNamespace(path=run.path / "x.kolm", report=REPORT)
    notes: list[str] = []
    progress: Any = SimpleNamespace(stage=lambda *_: None, note=notes.append)
    trackers.tell(inputs, run, bundled, progress)
    assert notes == ["wandb was not told of the bundle: no network"]
    assert capsys.readouterr().out == ""
