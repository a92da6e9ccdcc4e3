"""What is known of published models: their sizes, and the tokens of their pictures."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from benchmarks.step_counts import Case, planned, row_of
from kolm_cli.encoding.encoder import Limits
from kolm_cli.families import catalog
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.plan.meta_model import empty_model
from kolm_cli.plan.published_models import published_models
from kolm_cli.plan.stand_in import StandInEncoder, image_id, stand_in_processor
from kolm_cli.plan.step import CountedStep
from kolm_cli.spec.model import TrainSection

MODELS = published_models()
QUICK = ("llava-hf/llava-v1.6-mistral-7b-hf",)
# Tokens of pictures with their marks, as counted with the real processors.
PICTURES = {
    ("Qwen/Qwen2.5-VL-7B-Instruct", (640, 480)): 391,
    ("Qwen/Qwen2.5-VL-7B-Instruct", (1920, 1080)): 2691,
    ("llava-hf/llava-v1.6-mistral-7b-hf", (640, 480)): 2340,
    # 757, and the start token that follows each picture.
    ("microsoft/Phi-3.5-vision-instruct", (640, 480)): 758,
}


def test_every_model_that_the_families_name_first_is_known() -> None:
    """One at least of each family that plans are promised for."""
    named = {family.name for family in catalog.families() for m in MODELS if family.claims_id(m)}
    promised = "qwen2_vl qwen2_5_vl qwen3_vl llava_next llava_onevision idefics3 smolvlm internvl"
    assert set(f"{promised} gemma3 phi3_v cambrian".split()) <= named


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(m, marks=() if m in QUICK else pytest.mark.slow)
        for m, known in MODELS.items()
        if known.parameters
    ],
)
def test_the_model_has_the_parameters_that_the_hub_lists(model: str) -> None:
    known = MODELS[model]
    family = catalog.by_config(known.config)
    assert family is not None
    assert family.claims_id(model) or family.name == "idefics3"
    made = empty_model(known.config, family, bf16=True)
    assert sum(parameter.numel() for parameter in made.parameters()) == known.parameters
    assert {p.dtype for p in made.parameters()} == {torch.bfloat16}
    assert known.sources


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_step_of_it_can_be_counted(model: str) -> None:
    """The stand-in shows as many features as there are places for them."""
    shape = Case(model, model, (336, 336), 0)
    plan, train = planned(shape), TrainSection(gradient_checkpointing=True)
    row = plan.encoder.training(row_of(shape, plan))
    step = CountedStep(plan.model(train, plan.encoder), plan.family, train)
    counts = step.count(plan.encoder.training_batch([row]))
    assert counts.micro_batch.parts["vision"].flops > 0
    assert counts.peak.bytes > counts.resident.bytes


@pytest.mark.parametrize(("model", "picture"), PICTURES)
def test_pictures_have_the_tokens_of_the_real_processor(
    model: str, picture: tuple[int, int]
) -> None:
    known = MODELS[model]
    family = catalog.by_config(known.config)
    assert family is not None
    family.register()
    encoder = StandInEncoder(
        family, stand_in_processor(family, known), Limits(), "all", image_id(known.config)
    )
    row = {"image": Image.new("RGB", picture), "prompt": "x" * 40, "response": "y" * 8}
    encoded = encoder.training(rows_from_python([row])[0])
    assert encoded.image_tokens == PICTURES[model, picture]
    # Eight letters, with a space before them in some templates, and the end.
    assert encoded.supervised in (3, 4)
    ids = encoded.sequence["input_ids"].tolist()
    if encoder.image_id is not None:
        assert ids.count(encoder.image_id) >= 0.9 * encoded.image_tokens
