"""`train.report_to`: trackers hear of a training as it runs, and of its bundle when it is written.

transformers' own integrations tell of the training. A tracker decides nothing: it is in no digest,
no receipt and no bundle, and one that fails at the end costs a note, not the result.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.core.files import expanded
from kolm_cli.core.progress import Progress

if TYPE_CHECKING:
    from kolm_cli.pipeline.bundling import Bundled
    from kolm_cli.pipeline.inputs import Inputs
    from kolm_cli.run.folder import RunFolder

_PROJECT = "kolm"
_MLFLOW_RUN = "mlflow-run"


def require(names: Sequence[str]) -> None:
    """Look for the packages before anything is trained.

    Raises:
        LackingError: names all that are not installed.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise LackingError(
            *(
                Problem(f"{name} is not installed", "train.report_to", f"pip install {name}")
                for name in missing
            )
        )


def environment(names: Sequence[str], name: str, run: RunFolder) -> dict[str, str]:
    """What the worker's integrations are told; what the user has set stays.

    A run keeps its identity when it is resumed, and nothing but figures is sent: no weights, no
    picture, no prompt.
    """
    if not names:
        return {}
    wanted = {"KOLM_RUN_NAME": f"{name}-{run.path.name[:8]}"}
    if "tensorboard" in names:
        wanted["TENSORBOARD_LOGGING_DIR"] = str(tensorboard_folder(run))
    if "wandb" in names:
        wanted |= {"WANDB_PROJECT": _PROJECT, "WANDB_DIR": str(run.path)}
        wanted |= {"WANDB_RUN_ID": run.path.name[:32], "WANDB_RESUME": "allow"}
    if "mlflow" in names:
        wanted["MLFLOW_EXPERIMENT_NAME"] = _PROJECT
        wanted["MLFLOW_RUN_ID"] = _mlflow_run(wanted["KOLM_RUN_NAME"], run)
    found = {key: os.environ.get(key, value) for key, value in wanted.items()}
    # Weights go where the user pushes them, and nowhere by themselves.
    return {**found, "WANDB_LOG_MODEL": "false", "HF_MLFLOW_LOG_ARTIFACTS": "FALSE"}


def tensorboard_folder(run: RunFolder) -> Path:
    """Where a run's event files are, unless TENSORBOARD_LOGGING_DIR says otherwise."""
    return expanded(os.environ.get("TENSORBOARD_LOGGING_DIR") or run.path / "tensorboard")


def tell(inputs: Inputs, run: RunFolder, bundled: Bundled, progress: Progress) -> None:
    """Tell every tracker the CID, the scores and where the receipt is."""
    names = inputs.spec.train.report_to
    if not names:
        return
    figures, words = _summary(bundled)
    told = environment(names, inputs.spec.name, run)
    for name in names:
        progress.stage(f"tell {name}")
        before = dict(os.environ)
        try:
            os.environ.update(told)
            with _quiet():
                _TELLERS[name](run, figures, words)
        except Exception as error:  # any of four libraries, and the network
            progress.note(f"{name} was not told of the bundle: {error}")
        finally:
            os.environ.clear()
            os.environ.update(before)
    if "tensorboard" in names:
        progress.note(f"tensorboard --logdir {tensorboard_folder(run)}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Where a library may print: trackio does, into the JSON that a command writes."""
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield


def _summary(bundled: Bundled) -> tuple[dict[str, float], dict[str, str]]:
    report = bundled.report
    values = {
        "accuracy": report["accuracy"],
        "base_accuracy": report.get("base_accuracy"),
        "k": report["k_score"]["k"],
        "gate_passed": float(report["gate"]["passed"]),
    }
    words = {"cid": str(report["cid"]), "receipt": bundled.path.as_uri()}
    return {f"kolm/{k}": float(v) for k, v in values.items() if v is not None}, words


def _tensorboard(run: RunFolder, figures: dict[str, float], words: dict[str, str]) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(log_dir=str(tensorboard_folder(run))) as writer:
        for name, value in figures.items():
            writer.add_scalar(name, value)
        for name, text in words.items():
            writer.add_text(f"kolm/{name}", text)


def _wandb(run: RunFolder, figures: dict[str, float], words: dict[str, str]) -> None:
    import wandb

    told: Any = wandb.init(project=os.environ["WANDB_PROJECT"], settings={"silent": True})
    told.summary.update({**figures, **{f"kolm/{name}": text for name, text in words.items()}})
    told.finish()


def _mlflow_run(name: str, run: RunFolder) -> str:
    """The run that the worker writes to, made once for a training."""
    kept = run.path / _MLFLOW_RUN
    if not kept.is_file():
        with _quiet():
            import mlflow

            client: Any = mlflow.MlflowClient()
            experiment = mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", _PROJECT))
            made = client.create_run(experiment.experiment_id, run_name=name)
        kept.write_text(made.info.run_id)
    return kept.read_text()


def _mlflow(run: RunFolder, figures: dict[str, float], words: dict[str, str]) -> None:
    import mlflow

    client: Any = mlflow.MlflowClient()
    number = os.environ["MLFLOW_RUN_ID"]
    for name, value in figures.items():
        client.log_metric(number, name, value)
    for name, text in words.items():
        client.set_tag(number, f"kolm.{name}", text)


def _trackio(run: RunFolder, figures: dict[str, float], words: dict[str, str]) -> None:
    import trackio

    # The project that transformers' integration writes to, unless it is told another.
    trackio.init(project="huggingface", name=os.environ["KOLM_RUN_NAME"], resume="allow")
    trackio.log({**figures, **{f"kolm/{name}": text for name, text in words.items()}})
    trackio.finish()


_TELLERS: dict[str, Callable[[RunFolder, dict[str, float], dict[str, str]], None]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "mlflow": _mlflow,
    "trackio": _trackio,
}
