"""The ready specs: each is valid, and its plan fits the card that it names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image

from kolm_cli.plan.published_models import published_models
from kolm_cli.scoring.metrics.catalog import names as metric_names
from kolm_cli.spec.load import load_spec
from tests.support.command import Done

FOLDER = Path(__file__).parents[2] / "specs"
SPECS = sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != "chart-demo.yaml")
FIT = {"qwen2.5-vl-3b-hourly.yaml": (448, 448)}


def test_there_is_a_spec_for_each_base_that_most_begin_with() -> None:
    assert len(SPECS) == 5


@pytest.mark.parametrize("name", SPECS)
def test_it_is_valid_and_its_base_can_be_planned_for(name: str) -> None:
    spec = load_spec(FOLDER / name, metrics=metric_names()).spec
    assert spec.base.model in published_models()
    assert spec.launch.device == "cuda"
    rows = spec.train.per_device_train_batch_size * spec.train.gradient_accumulation_steps
    assert rows == 16
    for line in (FOLDER / name).read_text().splitlines():
        assert len(line) <= 110


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_its_plan_fits(name: str, kolm: Callable[..., Done], tmp_path: Path) -> None:
    """With pictures of 1024 x 768, or as small as the spec is for."""
    shutil.copy(FOLDER / name, tmp_path / "spec.yaml")
    spec = yaml.safe_load((tmp_path / "spec.yaml").read_text())
    spec["data"] |= {"train": "rows.jsonl", "eval": "rows.jsonl"}
    (tmp_path / "spec.yaml").write_text(json.dumps(spec))
    Image.new("RGB", FIT.get(name, (1024, 768))).save(tmp_path / "chart.png")
    question = "What is the value of the bar at the left? " * 4
    row = {"image": "chart.png", "response": "It is 17."}
    lines = [json.dumps({**row, "prompt": f"{question} {index}"}) for index in range(32)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    done = kolm("plan", "spec.yaml", "--device", "a100-80gb", "--no-advice", "--json")
    assert done.code == 0, done.err
    assert not done.json["rows"]["refused"]
    assert not done.json["rows"]["cut"]
