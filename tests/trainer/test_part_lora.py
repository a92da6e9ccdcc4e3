"""LoRA beside the language tower: in the projector, and in the vision tower."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import nn

from kolm_cli.core.errors import InputError
from kolm_cli.core.globs import matches_any
from kolm_cli.families.base import PartName
from kolm_cli.trainer.lora import part_layers
from kolm_cli.trainer.partition import part_of
from tests.support.cases import Case, Notes, logits_of
from tests.support.kinds import CASES, case_id
from tests.trainer.trained import Trained, assert_same_logits

QUICK = {
    "projector": {("qwen2_5_vl", ""), ("llava_next", "mistral"), ("idefics3", "")},
    "vision": {("llava_next", "mistral")},
}
# A projector of bare parameters.
REFUSED = {"gemma3"}


def keys(part: str) -> list[Any]:
    """The families with a tower; those that are quick and differ in form for `make test`."""
    from kolm_cli.families.catalog import by_name

    found = []
    for key in CASES:
        family = by_name(key[0])
        assert family is not None
        if family.takes.images and not (part == "projector" and key[0] in REFUSED):
            marks = [] if key in QUICK[part] else [pytest.mark.slow]
            found.append(pytest.param(key, marks=marks, id=case_id(key)))
    return found


def linears(case: Case, part: PartName) -> set[str]:
    return {
        name
        for name, module in case.fresh().named_modules()
        if isinstance(module, nn.Linear) and part_of(case.family, f"{name}.weight") == part
    }


def adapted(trained: Trained, part: str) -> dict[str, torch.nn.Parameter]:
    partition = trained.trainer.partition
    return {
        name: parameter
        for name, parameter in trained.trainer.model.named_parameters()
        if parameter.requires_grad
        and partition.parts[name.removeprefix("base_model.model.").replace(".default.", ".")]
        == part
    }


@pytest.mark.parametrize("key", keys("projector"))
def test_the_projector_learns_by_lora_alone(
    key: tuple[str, str], new_case: Callable[..., Case], train: Callable[..., Trained]
) -> None:
    case = new_case(*key)
    trained = train(case, projector="lora", projector_lora_r=2, projector_learning_rate=7e-4)
    wanted = set(part_layers(case.fresh(), case.family, "projector"))
    assert wanted
    if not key[0].startswith("cambrian"):
        assert wanted == linears(case, "projector"), "every linear layer of it"
    assert not any(trained.moved("projector").values())
    layers = {name.partition(".lora_")[0] for name in adapted(trained, "projector")}
    assert layers == {f"base_model.model.{name}" for name in wanted}
    receipt = trained.trainer.receipt()
    assert receipt["evidence"]["adapters_per_part"]["projector"] == len(wanted)
    assert receipt["evidence"]["adapters_per_part"]["vision"] == 0
    assert receipt["evidence"]["projector_inputs_with_gradient_history"] == 0
    assert not (trained.folder / "projector.safetensors").exists()
    config = json.loads((trained.folder / "adapter_config.json").read_bytes())
    assert config["rank_pattern"] == dict.fromkeys(wanted, 2)
    assert_same_logits(trained)
    # The whole of it is one plain PEFT adapter.
    rows = case.variety()[:2]
    plain = PeftModel.from_pretrained(case.fresh(), str(trained.folder))
    expected = logits_of(case, trained.trainer.model, rows)
    assert torch.allclose(logits_of(case, plain, rows), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("key", keys("vision"))
def test_the_tower_learns_by_lora_alone(
    key: tuple[str, str], new_case: Callable[..., Case], train: Callable[..., Trained]
) -> None:
    case = new_case(*key)
    trained = train(case, vision="lora", vision_lora_r=2, projector="freeze")
    idle = case.family.never_used(case.fresh())
    wanted = {n for n in linears(case, "vision") if not matches_any(f"{n}.weight", idle)}
    assert not any(trained.moved("vision").values())
    assert not any(trained.moved("projector").values())
    layers = {name.partition(".lora_")[0] for name in adapted(trained, "vision")}
    assert layers == {f"base_model.model.{name}" for name in wanted}
    assert trained.trainer.receipt()["evidence"]["adapters_per_part"]["vision"] == len(wanted)
    assert set(load_file(trained.folder / "adapter_model.safetensors")) >= {
        f"base_model.model.{name}.lora_A.weight" for name in wanted
    }
    assert_same_logits(trained)


def test_what_cannot_take_lora_is_named_and_frozen(new_case: Callable[..., Case]) -> None:
    case, notes = new_case("llava_next"), Notes()
    trainer = case.trainer(case.variety(), Path("unused"), projector="lora", progress=notes)
    assert "frozen, since it cannot take LoRA: model.image_newline" in notes.notes
    assert "model.image_newline" in trainer.receipt()["frozen_modules"]


def test_a_projector_of_bare_parameters_refuses_lora(new_case: Callable[..., Case]) -> None:
    case = new_case("gemma3")
    with pytest.raises(InputError, match="no layer of gemma3's projector is known to take LoRA"):
        case.trainer(case.variety(), Path("unused"), projector="lora")
    text = new_case("text")
    with pytest.raises(InputError, match="text has no projector"):
        text.trainer(text.variety(), Path("unused"), projector="lora")


def test_one_rank_needs_no_patterns(new_case: Callable[..., Case], tmp_path: Path) -> None:
    case = new_case("llava_next")
    trainer = case.trainer(case.variety(), tmp_path / "run", projector="lora")
    trainer.save(tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_bytes())
    assert not {"rank_pattern", "alpha_pattern"} & set(config)
