"""Which family takes a base, and the errors where none does."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, AutoModelForCausalLM

from kolm_cli.core.errors import InputError, LackingError
from kolm_cli.encoding.row_checks import check_rows
from kolm_cli.families import catalog
from kolm_cli.families.base import Family
from kolm_cli.families.detect import detect
from kolm_cli.families.resolve import resolve_base
from kolm_cli.families.support import Experimental, describe
from kolm_cli.families.tiny import tokens, towers
from kolm_cli.trainer.partition import Partition
from kolm_cli.trainer.vlm import VLMTrainConfig, vlm_trainer
from tests.support.cases import Case, Notes

WRITTEN_FOR = [(family.name, i) for family in catalog.families() for i in family.written_for]


@pytest.mark.parametrize(("name", "model_id"), WRITTEN_FOR)
def test_every_id_leads_to_its_family(name: str, model_id: str) -> None:
    found = catalog.by_id(model_id)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("Qwen/Qwen2.5-VL-3B-Instruct", "qwen2_5_vl"),
        ("me/my-qwen2.5-vl-7b-tuned", "qwen2_5_vl"),
        ("llava-hf/llava-v1.6-mistral-7b-hf", "llava_next"),
        ("llava-hf/llava-onevision-qwen2-7b-ov-hf", "llava_onevision"),
        ("HuggingFaceTB/SmolVLM-500M-Instruct", "idefics3"),
        ("HuggingFaceTB/SmolLM3-3B", "text_thinking"),
        ("google/gemma-2-9b-it", "text_no_system"),
        ("google/gemma-3-27b-it", "gemma3"),
        ("google/paligemma2-3b-mix-224", "paligemma"),
    ],
)
def test_ids_that_several_patterns_could_take(model_id: str, name: str) -> None:
    found = catalog.by_id(model_id)
    assert found is not None
    assert found.name == name


def test_a_folder_is_detected_by_its_config_whatever_its_name(case: Case) -> None:
    assert case.base.family is case.family
    config = json.loads((case.folder / "config.json").read_bytes())
    assert detect("llava-1.5-but-not-really", config, local=True) is case.family


def test_the_catalogue_has_no_two_of_a_name() -> None:
    names = [family.name for family in catalog.families()]
    assert len(set(names)) == len(names)


def test_an_id_and_a_config_that_disagree_are_both_named() -> None:
    with pytest.raises(InputError) as caught:
        detect("Qwen/Qwen2.5-VL-3B-Instruct", {"model_type": "llava_next"})
    said = str(caught.value)
    assert "the id says qwen2_5_vl" in said
    assert "'llava_next', which is llava_next" in said
    with pytest.raises(InputError, match="which no family claims"):
        detect("Qwen/Qwen2.5-VL-3B-Instruct", {"model_type": "qwen2_5_wl"})


def test_an_unknown_architecture_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"'lava_next' \(the nearest known is 'llava_next'\)"):
        detect("me/mine", {"model_type": "lava_next"})
    with pytest.raises(InputError, match="no model_type"):
        detect("me/mine", {})


def test_code_in_a_checkpoint_needs_consent() -> None:
    config = {"model_type": "llava", "auto_map": {"AutoModel": "modeling.Mine"}}
    with pytest.raises(InputError, match="its own Python code") as caught:
        detect("me/mine", config)
    assert "trust_remote_code: true" in caught.value.problems[0].fix
    assert detect("me/mine", config, trust_remote_code=True).name == "llava"
    with pytest.raises(InputError, match="no family claims"):
        detect("me/mine", {**config, "model_type": "phi4mm"}, trust_remote_code=True)


def test_what_is_unsupported_says_why() -> None:
    with pytest.raises(InputError, match="mllama is unsupported: it sees images through cross"):
        detect("meta-llama/Llama-3.2-11B-Vision-Instruct", {"model_type": "mllama"})


def test_pixtral_and_llava_share_a_type_and_are_told_apart() -> None:
    pixtral = {"model_type": "llava", "vision_config": {"model_type": "pixtral"}}
    clip = {"model_type": "llava", "vision_config": {"model_type": "clip_vision_model"}}
    assert detect("me/mine", pixtral).name == "pixtral"
    assert detect("me/mine", clip).name == "llava"
    with pytest.raises(InputError, match="the id says pixtral"):
        detect("mistral-community/pixtral-12b", clip)


def test_a_missing_package_is_named(
    new_case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, find = new_case("smolvlm"), importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n: None if n == "num2words" else find(n)
    )
    with pytest.raises(LackingError, match="num2words") as caught:
        case.family.load_processor(case.base.source)
    assert caught.value.problems[0].fix == "run `pip install num2words`"


def test_a_base_without_a_chat_template_is_refused(
    new_case: Callable[..., Case], tmp_path: Path
) -> None:
    case = new_case("text")
    for path in case.folder.iterdir():
        if path.suffix != ".jinja":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="no chat template"):
        case.family.load_processor(str(tmp_path))


# -- what no family claims ---------------------------------------------------------------------


@pytest.fixture
def unclaimed(tmp_path: Path) -> Path:
    """A tiny OLMo 2, which transformers knows and the catalogue does not."""
    special = ("<|im_start|>", "<|im_end|>", "<pad>")
    tokenizer = tokens.byte_tokenizer(special, eos="<|im_end|>", pad="<pad>")
    tokenizer.chat_template = tokens.CHATML
    decoder = towers.decoder(64, 2, special, bos=None, eos="<|im_end|>", pad="<pad>")
    config = AutoConfig.for_model("olmo2", **decoder)
    towers.write(tmp_path, AutoModelForCausalLM.from_config, config, tokenizer, seed=0)
    return tmp_path


def test_an_unclaimed_language_model_trains_and_says_that_it_was_guessed(unclaimed: Path) -> None:
    rows = [{"prompt": f"{n}?", "response": f"{n}"} for n in range(4)]
    config = VLMTrainConfig(bf16=False, gradient_accumulation_steps=1)
    notes = Notes()
    trainer = vlm_trainer(str(unclaimed), rows, config, device="cpu", progress=notes).train()
    receipt = trainer.receipt()
    assert receipt["family"] == "generic"
    assert receipt["family_support"].startswith("experimental: no family claims model_type 'olmo2'")
    assert any("the family generic is experimental" in note for note in notes.notes)
    assert receipt["evidence"]["adapters_per_part"] == {"language": 14, "head": 0}


def _skeleton(config: Any) -> Any:
    import torch
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config)


def test_the_parts_of_an_unclaimed_vision_model_are_guessed() -> None:
    config = AutoConfig.for_model("aya_vision")
    config.vision_config.num_attention_heads = 16
    config.vision_config.num_hidden_layers = 1
    family = detect("me/mine", config.to_dict())
    assert isinstance(family.support, Experimental)
    partition = Partition.of(family, _skeleton(config))
    assert partition.parts["model.multi_modal_projector.linear_1.weight"] == "projector"
    assert {
        part: sorted({name.split(".")[1] for name in partition.names(part)})
        for part in ("vision", "projector", "language")
    } == {
        "vision": ["vision_tower"],
        "projector": ["multi_modal_projector"],
        "language": ["language_model"],
    }


def test_a_projector_that_the_rule_would_freeze_is_an_error() -> None:
    """Qwen's merger stands inside `visual`: guessing would train nothing and say nothing."""
    config = AutoConfig.for_model("qwen3_vl_moe")
    config.text_config.num_hidden_layers = config.vision_config.depth = 1
    config.text_config.num_experts = 2
    family = detect("me/mine", config.to_dict())
    with pytest.raises(InputError, match="the projector of model_type 'qwen3_vl_moe' cannot be"):
        family.prefixes("projector")


def test_an_experimental_family_is_noted_in_preflight(new_case: Callable[..., Case]) -> None:
    case, notes = new_case("qwen3_5"), Notes()
    check_rows(case.encoder(), [case.row(("A?", "a"))], progress=notes)
    assert any("qwen3_5 is experimental: in its recurrent layers" in note for note in notes.notes)


def test_a_base_is_named_by_its_folder(new_case: Callable[..., Case]) -> None:
    case = new_case("llava")
    assert resolve_base(str(case.folder)).name == case.folder.name


@pytest.mark.parametrize("family", catalog.families(), ids=lambda family: family.name)
def test_every_family_stands_in_the_docs_with_its_level(family: Family) -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "families.md").read_text()
    [line] = [
        line for line in text.splitlines() if line.startswith("|") and f"`{family.name}`" in line
    ]
    assert describe(family.support)[0] in line
    for part in family.vision:
        assert part.removeprefix("model.embed_tokens_extend.") in line.replace("…", "")
