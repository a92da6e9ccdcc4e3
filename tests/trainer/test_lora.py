"""LoRA is in the language tower only."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from peft.tuners.lora import LoraLayer
from torch import nn

from kolm_cli.core.errors import InputError
from kolm_cli.trainer.lora import attach
from kolm_cli.trainer.partition import base_name
from tests.support.cases import Case

EMBEDDED_TOWERS = re.compile(
    r"\.(embed_tokens_extend|vision_embed_tokens|vision_tower_aux_list|mm_projector|vision_sampler)"
)


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
