"""The learning curves of a run: what is recorded, and that a resumed run has each step once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kolm_cli.core.progress import Silent
from kolm_cli.records.curves import read_curves
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.adapter_trainer import StoppedEarly, VLMTrainer
from tests.support.cases import Case


def test_each_step_is_there_once(
    new_case: Callable[..., Case], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = new_case("qwen2_5_vl")
    rows = [case.row((f"hue {n}?", "red"), name=f"row {n}") for n in range(6)]
    asked = iter([False, False, True])

    def train(should_stop: Callable[[], bool]) -> None:
        VLMTrainer(
            case.base,
            rows,
            TrainSection(bf16=False, gradient_accumulation_steps=1, warmup_ratio=0.5),
            model=case.fresh(),
            encoder=case.encoder(None),
            device="cpu",
            folder=tmp_path / "checkpoints",
            progress=Silent(),
            should_stop=should_stop,
            curves=tmp_path / "curves.jsonl",
        ).train()

    with pytest.raises(StoppedEarly):
        train(lambda: next(asked))
    (tmp_path / "curves.jsonl").open("a").write('{"step": 4, "loss": 0.1}\n{"st')
    train(lambda: False)
    lines = read_curves(tmp_path / "curves.jsonl")
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    for line in lines:
        assert line["loss"] > 0
        assert line["grad_norm"] > 0
        assert line["tokens_per_second"] > 0
        assert line["waited_seconds"] > 0
    assert lines[0]["rates"] == {"language": 2.5e-05, "projector": 5e-06}
    assert lines[-1]["rates"]["language"] < lines[3]["rates"]["language"]
    assert capsys.readouterr().out == ""
