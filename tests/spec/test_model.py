"""The model from Python: keyword arguments, defaults, and what is written can be read."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kolm_cli.spec.model import Spec, TrainSection, is_name

LEAST: dict[str, Any] = {
    "kolm": 1,
    "name": "x",
    "base": {"model": "a/b"},
    "data": {"train": "capture:x", "eval": "capture:y"},
    "evaluate": {"metric": "anls"},
}


def test_the_defaults_are_the_designs() -> None:
    assert TrainSection().model_dump() == {
        "lora_r": 16,
        "lora_alpha": 32,
        "lora_targets": "default",
        "lora_dropout": 0.05,
        "freeze_vision": True,
        "cache_vision": False,
        "projector": "train",
        "projector_learning_rate": 2.0e-5,
        "learning_rate": 1.0e-4,
        "lr_scheduler_type": "linear",
        "warmup_ratio": 0.03,
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "max_seq_length": 2048,
        "num_train_epochs": 1,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 8,
        "gradient_checkpointing": False,
        "save_steps": 200,
        "bf16": True,
        "attention": "auto",
        "seed": 42,
    }


def test_keyword_arguments() -> None:
    config = TrainSection(lora_r=8, lora_targets=["q_proj"], learning_rate=1)
    assert config.lora_targets == ("q_proj",)
    assert isinstance(config.learning_rate, float)
    assert hash(config) == hash(TrainSection(**config.model_dump()))
    with pytest.raises(ValidationError, match="frozen"):
        config.lora_r = 4  # type: ignore[misc]


def test_wrong_keyword_arguments_come_at_once_with_the_likely_name() -> None:
    with pytest.raises(ValidationError) as caught:
        TrainSection(lora_rank=8, lora_alpha="x", projector="freeze", projector_learning_rate=1e-5)
    said = str(caught.value)
    assert "there is no option 'lora_rank'; did you mean lora_r?" in said
    assert "lora_alpha" in said
    assert "has no effect while train.projector is freeze" in said


@pytest.mark.parametrize(
    "options",
    [
        {"projector": "freeze"},
        {"freeze_vision": False, "vision_learning_rate": 1e-6},
        {"lora_targets": ("a", "b"), "cache_vision": True},
    ],
)
def test_what_is_dumped_can_be_read_again(options: dict[str, Any]) -> None:
    config = TrainSection(**options)
    assert TrainSection(**json.loads(config.model_dump_json())) == config
    assert TrainSection.model_validate(config.model_dump()) == config


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a", True),
        ("chart-qa.v2_1", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("", False),
        ("-a", False),
        ("a.", False),
        ("a..b", False),
        ("A", False),
        ("a/b", False),
        ("a\n", False),
        ("ä", False),
    ],
)
def test_names(name: str, good: bool) -> None:
    assert is_name(name) is good
    if good:
        assert Spec.model_validate(LEAST | {"name": name}).name == name
    else:
        with pytest.raises(ValidationError, match="name"):
            Spec.model_validate(LEAST | {"name": name})


def test_a_whole_spec_of_defaults_reads_back() -> None:
    spec = Spec.model_validate(LEAST)
    assert Spec.model_validate(yaml.safe_load(yaml.safe_dump(spec.model_dump(mode="json")))) == spec


@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=5)))
def test_no_mapping_breaks_the_model(section: dict[str, Any]) -> None:
    for name in ("base", "train", "evaluate"):
        wrong = section | {"": 1}
        with pytest.raises(ValidationError):
            Spec.model_validate(LEAST | {name: wrong})


def test_reading_specs_and_metrics_loads_no_slow_library() -> None:
    code = (
        "import sys, kolm_cli.spec.load, kolm_cli.spec.digest_forms, "
        "kolm_cli.scoring.metrics.catalog, kolm_cli.scoring.k_score, "
        "kolm_cli.scoring.gate, kolm_cli.scoring.interval\n"
        "print([m for m in ('torch', 'transformers', 'numpy', 'PIL') if m in sys.modules])"
    )
    folder = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"projector_lora_r": 4}, "no effect unless train.projector is lora"),
        ({"vision_lora_r": 4}, "no effect unless train.vision is lora"),
        ({"vision": "lora", "freeze_vision": True}, "cannot be true while train.vision is lora"),
        ({"vision": "lora", "cache_vision": True}, "no effect while the vision tower is trained"),
        (
            {"projector": "lora", "projector_lora_r": 3, "lora_alpha": 8},
            "would need an alpha between 1 and 2",
        ),
    ],
)
def test_lora_of_a_part_that_cannot_be(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TrainSection(**options)


def test_a_tower_with_lora_is_not_frozen() -> None:
    train = TrainSection(vision="lora", projector="lora", projector_lora_r=4)
    assert train.freeze_vision is False
    assert train.other_ranks() == {"projector": 4, "vision": 16}
    assert TrainSection(**train.model_dump(mode="json")) == train
    assert not {"vision", "vision_lora_r", "projector_lora_r"} & set(TrainSection().model_dump())
