"""Every parameter of a base is in exactly one part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.trainer.loss import supervised_loss
from kolm_cli.trainer.partition import Partition
from tests.support.cases import Case
from tests.support.kinds import that_take

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
