"""The ready specs: each is valid, and its plan fits the card that it names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kolm_cli.plan.published_models import published_models
from kolm_cli.scoring.metrics.catalog import names as metric_names
from kolm_cli.spec.load import load_spec
from tests.support.command import Done

FOLDER = Path(__file__).parents[2] / "specs"
DEMO = "chart-demo.yaml"
SPECS = sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != DEMO)
# Pictures of these pixels, and else of 1024 x 768.
SMALL = {DEMO: "96x96", "qwen2.5-vl-3b-hourly.yaml": "448x448"}


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


def test_the_page_plans_for_them_as_they_are_planned_here() -> None:
    page = (FOLDER.parent / "docs/how-to/plan.md").read_text(encoding="utf-8")
    shown = re.findall(r"^kolm plan specs/(\S+) .*--pixels (\S+)", page, re.MULTILINE)
    assert len(shown) == 2
    for name, pixels in shown:
        assert name in SPECS
        assert pixels == SMALL.get(name, "1024x768")


@pytest.mark.parametrize("name", [DEMO, *(pytest.param(n, marks=pytest.mark.slow) for n in SPECS)])
def test_its_plan_fits(name: str, kolm: Callable[..., Done]) -> None:
    """Without rows: with assumed ones, in the pictures that it is for."""
    given = ("--rows", "64", "--pixels", SMALL.get(name, "1024x768"))
    done = kolm(
        "plan", str(FOLDER / name), *given, "--device", "a100-80gb", "--no-advice", "--json"
    )
    assert done.code == 0, done.err
    assert done.json["assumed_rows"]["rows"] == 64
    assert not done.json["rows"]["refused"]
    assert not done.json["rows"]["cut"]
