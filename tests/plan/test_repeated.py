"""A few of a model's layers give the counts that all of them give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.step_counts import Case as Shape
from benchmarks.step_counts import planned, row_of
from kolm_cli.families.catalog import by_name
from kolm_cli.families.resolve import resolve_base
from kolm_cli.families.tiny.catalog import write_tiny
from kolm_cli.plan.counts import StepCounts
from kolm_cli.plan.meta_model import empty_model
from kolm_cli.plan.repeated import RepeatedLayers
from kolm_cli.plan.step import CountedStep
from kolm_cli.spec.model import TrainSection
from tests.support.cases import BUDGET, Case

# One of each family, except for those whose layers differ by design.
PUBLISHED = (
    "Qwen/Qwen2-VL-2B-Instruct",
    "Qwen/Qwen2.5-VL-3B-Instruct",
    "Qwen/Qwen3-VL-4B-Instruct",
    "llava-hf/llava-v1.6-mistral-7b-hf",
    "llava-hf/llava-onevision-qwen2-7b-ov-hf",
    "HuggingFaceM4/Idefics3-8B-Llama3",
    "OpenGVLab/InternVL3-2B-hf",
    "microsoft/Phi-3.5-vision-instruct",
)
OPTIONS = (
    {"gradient_accumulation_steps": 2},
    {"gradient_accumulation_steps": 1, "gradient_checkpointing": True},
    {"gradient_accumulation_steps": 1, "projector": "freeze", "lora_dropout": 0.0},
)


def both(step: Callable[[], CountedStep], batch: object) -> list[StepCounts]:
    """By a few layers, and by every layer."""
    assert RepeatedLayers.of(step().prepared.model, step().family) is not None
    return [step().count(batch, every_layer=every) for every in (False, True)]  # type: ignore[arg-type]


def assert_same(few: StepCounts, every: StepCounts) -> None:
    assert few.as_json() == every.as_json()
    assert few.sizes == every.sizes
    assert few.optimizer_sizes == every.optimizer_sizes


@pytest.mark.parametrize("options", OPTIONS[:2])
def test_twelve_layers(options: dict[str, object], tmp_path: Path) -> None:
    family = by_name("llava_next")
    assert family is not None
    write_tiny(family, tmp_path, seed=0, width=64, layers=12)
    case = Case(tmp_path, resolve_base(str(tmp_path)))
    config = TrainSection(**{"lora_r": 4, "max_seq_length": BUDGET, **options})
    batch = case.batch([case.row(("How long is A?", "7 or 8"))])

    def step() -> CountedStep:
        return CountedStep(empty_model(case.base.config, family, bf16=True), family, config)

    assert_same(*both(step, batch))


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("model", PUBLISHED)
def test_published_shapes(model: str, options: dict[str, object]) -> None:
    shape = Shape(model, model, (336, 336), 0)
    plan = planned(shape)
    row, config = row_of(shape, plan), TrainSection(**options)
    batch = plan.encoder.training_batch([plan.encoder.training(row)])
    assert_same(
        *both(lambda: CountedStep(plan.model(config, plan.encoder), plan.family, config), batch)
    )


def test_layers_that_differ_are_all_run(new_case: Callable[..., Case]) -> None:
    """Gemma 3 looks at everything in each sixth layer, and at what is near in the others."""
    case = new_case("gemma3")
    config = dict(case.base.config)
    text = dict(config["text_config"])
    kinds = ["sliding_attention"] * 5 + ["full_attention"]
    config["text_config"] = {**text, "num_hidden_layers": 12, "layer_types": kinds * 2}
    step = CountedStep(
        empty_model(config, case.family, bf16=True), case.family, TrainSection(lora_r=4)
    )
    assert RepeatedLayers.of(step.prepared.model, case.family) is None


@pytest.mark.slow
def test_connectors_between_layers_have_all_of_them_run() -> None:
    """Cambrian's look at the picture again before some of the layers."""
    plan = planned(Shape("Cambrian-1 8B", "nyu-visionx/cambrian-8b"))
    config = TrainSection(lora_r=4)
    step = CountedStep(plan.model(config, plan.encoder), plan.family, config)
    assert RepeatedLayers.of(step.prepared.model, plan.family) is None
