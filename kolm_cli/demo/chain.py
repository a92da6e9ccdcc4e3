"""The demo as the chain of real commands that it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kolm_cli.demo import BASE
from kolm_cli.demo.data import EVAL_SEED, TRAIN_SEED, write_chart_data

NAME = "chart-demo"
TRAIN_ROWS, EVAL_ROWS = 3000, 240
_PACKAGED = Path(__file__).with_name(f"{NAME}.yaml")
_IN_REPOSITORY = Path(__file__).parents[2] / "specs" / f"{NAME}.yaml"


@dataclass(frozen=True)
class Step:
    """One command of the chain.

    Attributes:
        says: what it does, for a reader.
        arguments: what comes after `kolm`.
        shows_progress: whether it takes `--progress`.
    """

    says: str
    arguments: tuple[str, ...]
    shows_progress: bool = True


def spec_text(seed: int | None = None) -> str:
    """The demo's spec, its base named by where this installation keeps it."""
    path = _PACKAGED if _PACKAGED.is_file() else _IN_REPOSITORY
    text = path.read_text(encoding="utf-8").replace("../kolm_cli/demo/base", str(BASE))
    return text if seed is None else text.replace("seed: 42", f"seed: {seed}")


def prepare(folder: Path, *, seed: int | None = None) -> Path:
    """Draw the charts and write the spec under `folder`; returns the spec's path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_chart_data(folder / "train", style="B", rows=TRAIN_ROWS, seed=TRAIN_SEED)
    write_chart_data(folder / "eval", style="B", rows=EVAL_ROWS, seed=EVAL_SEED)
    spec = folder / f"{NAME}.yaml"
    spec.write_text(spec_text(seed), encoding="utf-8")
    return spec


def steps(folder: Path, spec: Path) -> list[Step]:
    """The commands, in their order."""
    bundle = folder / f"{NAME}.kolm"
    return [
        Step(
            "capture the training pairs",
            ("capture", "import", str(folder / "train" / "data.jsonl"), "--to", NAME),
        ),
        Step(
            "capture the held-out pairs",
            ("capture", "import", str(folder / "eval" / "data.jsonl"), "--to", f"{NAME}-eval"),
        ),
        Step("train, score and bundle", ("compile", str(spec), "--out", str(bundle))),
        Step("check the bundle", ("verify", str(bundle)), shows_progress=False),
    ]
