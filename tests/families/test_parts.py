"""Properties 1 and 2: every parameter in one part, LoRA in the language tower only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from peft.tuners.lora import LoraLayer
from torch import nn

from kolm_cli.core.errors import InputError
from kolm_cli.trainer.lora import attach
from kolm_cli.trainer.loss import supervised_loss
from kolm_cli.trainer.partition import Partition, base_name
from tests.families.helpers import Case, that_take

# What a rule over names would get wrong, read from the models themselves:
# docs/reference/families.md.
KNOWN = {
    "qwen2_vl": {"model.visual.merger.mlp.0.weight": "projector"},
    "qwen2_5_vl": {"model.visual.merger.mlp.2.bias": "projector"},
    "qwen3_vl": {"model.visual.deepstack_merger_list.0.linear_fc1.weight": "projector"},
    "llava_next": {"model.image_newline": "projector"},
    "llava_onevision": {"model.image_newline": "projector"},
    "idefics3": {"model.connector.modality_projection.proj.weight": "projector"},
    "phi4_multimodal": {
        "model.embed_tokens_extend.image_embed.sub_img_feature_extensor": "projector",
        "model.embed_tokens_extend.audio_embed.up_proj_for_speech.weight": "other",
        "model.embed_tokens_extend.image_embed.img_processor.post_layernorm.bias": "vision",
    },
}


def test_every_parameter_is_in_exactly_one_part(case: Case) -> None:
    model = case.fresh()
    partition = Partition.of(case.family, model)
    assert list(partition.parts) == [name for name, _ in model.named_parameters()]
    assert ("vision" in partition.parts.values()) == case.family.takes.images
    for name, part in KNOWN.get(case.family.name, {}).items():
        assert partition.parts[name] == part


@that_take("text_only")
def test_the_parts_are_what_the_gradients_say(case: Case) -> None:
    """A row without images reaches the language tower and head, and nothing else."""
    model = case.fresh()
    partition = Partition.of(case.family, model)
    batch = case.batch([case.row(("No image", "here"), images=[])])
    labels = batch.pop("labels")
    supervised_loss(model(**batch), labels).backward()
    reached = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == set(partition.names("language", "head"))


def test_a_parameter_that_no_part_claims_is_named(pictured: Case) -> None:
    blind = replace(pictured.family, vision=(), projector=())
    with pytest.raises(InputError, match=r"model\..* belongs to no part") as caught:
        Partition.of(blind, pictured.fresh())
    assert len(caught.value.problems) > 5, "all of them, not only the first"


def test_two_claims_of_equal_length_are_an_error(new_case: Callable[..., Case]) -> None:
    case = new_case("llava")
    torn = replace(case.family, vision=(*case.family.vision, "model.language_model"))
    with pytest.raises(InputError, match="claimed by language and vision"):
        Partition.of(torn, case.fresh())


EMBEDDED_TOWERS = re.compile(r"\.(embed_tokens_extend|vision_embed_tokens)\.")


def _lora(model: nn.Module) -> set[str]:
    return {base_name(n) for n, m in model.named_modules() if isinstance(m, LoraLayer)}


def _linears_of_decoder(case: Case, model: nn.Module) -> set[str]:
    """The linear layers inside what transformers calls the decoder: an independent answer."""
    get_decoder = getattr(model, "get_decoder")  # noqa: B009  # not every class declares it
    decoder = get_decoder()
    inside = {id(m) for m in decoder.modules() if isinstance(m, nn.Linear)}
    names = {n for n, m in model.named_modules() if id(m) in inside}
    # The decoders of the two Phis hold the other towers inside their embedding.
    return {name for name in names if not EMBEDDED_TOWERS.search(name)}


@pytest.mark.parametrize("targets", ["default", "all-linear", "explicit"])
def test_lora_stays_in_the_language_tower(case: Case, targets: str) -> None:
    model = case.fresh()
    available = _linears_of_decoder(case, model)
    wanted = list(case.family.lora_default[:2]) if targets == "explicit" else targets
    leaves = {
        "default": case.family.lora_default,
        "all-linear": tuple({name.rpartition(".")[2] for name in available}),
        "explicit": case.family.lora_default[:2],
    }[targets]
    expected = {name for name in available if name.rpartition(".")[2] in leaves}
    wrapped = attach(model, case.family, targets=wanted, r=4, alpha=8, dropout=0.0)
    assert _lora(wrapped) == expected
    assert {name.rpartition(".")[2] for name in expected} == set(leaves), "none matches nothing"


def test_default_targets_every_linear_layer_of_the_language_tower(case: Case) -> None:
    leaves = {name.rpartition(".")[2] for name in _linears_of_decoder(case, case.fresh())}
    assert leaves == set(case.family.lora_default)


def test_a_target_that_matches_nothing_names_what_is_there(case: Case) -> None:
    with pytest.raises(InputError) as caught:
        attach(case.fresh(), case.family, targets=["nothing"], r=4, alpha=8, dropout=0.0)
    said = str(caught.value)
    assert "'nothing'" in said
    assert all(leaf in said for leaf in case.family.lora_default)


def test_a_target_that_only_the_vision_tower_has_is_refused(
    new_case: Callable[..., Case],
) -> None:
    case = new_case("llava")
    with pytest.raises(InputError, match="fc1"):
        attach(case.fresh(), case.family, targets=["fc1"], r=4, alpha=8, dropout=0.0)
