"""Cambrian-1: published tensors, the connector against a naive one, one picture at its place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch.nn import functional
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForImageTextToText

from kolm_cli.families.native import cambrian
from tests.families.native import naive_cambrian, published_tensors
from tests.families.native.kept_features import check_kept_features
from tests.support.cases import Case, picture

ENCODERS = "model.vision_tower_aux_list."
SIZES = [(40, 40), (30, 90), (100, 31), (9, 100), (100, 3)]


@pytest.fixture(scope="module", params=["cambrian", "cambrian_phi3"])
def case(request: pytest.FixtureRequest, new_case: Callable[..., Case]) -> Case:
    return new_case(request.param)


@pytest.fixture(scope="module")
def tiny(case: Case) -> Any:
    return case.fresh().eval()


# -- published checkpoints ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cambrian_3b", "cambrian_8b", "cambrian_13b"])
def test_all_published_tensors_load_at_full_size(name: str, tmp_path: Path) -> None:
    """All but the encoders, which the checkpoint does not hold."""
    cambrian.register()
    document = published_tensors.read(name)
    (tmp_path / "config.json").write_text(json.dumps(document["configuration"]))
    config = AutoConfig.from_pretrained(tmp_path)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    assert {k: s for k, s in shapes.items() if not k.startswith(ENCODERS)} == document["tensors"]
    tensors = {
        key: torch.empty(shape, dtype=torch.bfloat16, device="meta")
        for key, shape in document["tensors"].items()
    }
    _, info = type(model).from_pretrained(
        None, config=config, state_dict=tensors, output_loading_info=True, device_map="meta"
    )
    assert all(key.startswith(ENCODERS) for key in info.pop("missing_keys"))
    assert not any(info.values()), info


def test_saving_writes_the_published_names(case: Case) -> None:
    like = {"cambrian": "cambrian_8b", "cambrian_phi3": "cambrian_3b"}
    tensors = published_tensors.read(like[case.family.name])["tensors"]
    counts = {r"^model\.layers\.(\d+)": 2, r"sampler_0\.layers\.(\d+)": 2}
    counts[r"sampler_layers\.(\d+)"] = 1
    wanted = {
        name
        for name in tensors
        if all(
            (match := re.search(pattern, name)) is None or int(match.group(1)) < count
            for pattern, count in counts.items()
        )
    }
    with safe_open(case.folder / "model.safetensors", "pt") as file:
        assert {key for key in file.keys() if not key.startswith(ENCODERS)} == wanted  # noqa: SIM118


def test_an_encoder_that_is_not_known_by_name_is_refused() -> None:
    cambrian.register()
    with pytest.raises(ValueError, match="unknown encoders sam/huge"):
        AutoConfig.for_model("cambrian_llama", mm_vision_tower_aux_list=["sam/huge"])
    with pytest.raises(ValueError, match="only the spatial vision aggregator"):
        AutoConfig.for_model("cambrian_llama", mm_projector_type="linear")


# -- the numerics, half by half ----------------------------------------------------------------


@torch.no_grad()
def test_text_goes_through_transformers_own_decoder(tiny: Any) -> None:
    decoder = "phi3" if "phi3" in tiny.config.model_type else "llama"
    known = set(AutoConfig.for_model(decoder).to_dict()) - {"model_type", "architectures"}
    values = {key: value for key, value in tiny.config.to_dict().items() if key in known}
    own = AutoModelForCausalLM.from_config(AutoConfig.for_model(decoder, **values)).eval()
    weights = tiny.state_dict()
    missing, _ = own.load_state_dict(weights, strict=False)
    assert not missing
    ids = torch.randint(0, 250, (2, 40))
    assert torch.allclose(tiny(ids).logits, own(ids).logits, atol=1e-5)


@torch.no_grad()
def test_encoders_are_transformers_own(case: Case, tiny: Any) -> None:
    """Their classes, loaded apart, and the resizing written out."""
    inputs = case.processor.image_processor([picture(50, 40, 3)], return_tensors="pt")
    found = tiny.model.apart(tiny.model.encode(inputs["pixel_values"]))
    start = 0
    for index, encoder in enumerate(tiny.model.vision_tower_aux_list):
        side, grid = encoder.picture, encoder.side
        pixels = inputs["pixel_values"][:, start : start + 3 * side * side]
        start += 3 * side * side
        own = AutoModel.from_config(tiny.config.encoders()[index]).eval()
        own.load_state_dict(encoder.vision_tower.state_dict(), strict=True)
        for module in own.modules():
            if encoder.kind == "convnext" and isinstance(module, torch.nn.LayerNorm):
                module.eps = 1e-5
        output = own(pixels.reshape(1, 3, side, side), output_hidden_states=True)
        if encoder.kind == "convnext":
            maps = list(output.hidden_states[-4:])
            assert [m.shape[-1] for m in maps] == [16, 8, 4, 2]
        elif encoder.kind == "clip_vision_model":
            maps = [output.hidden_states[-2][:, 1:]]
        elif encoder.kind == "dinov2":
            maps = [output.last_hidden_state[:, 1:]]
        else:
            maps = [output.last_hidden_state]
        wanted = torch.cat([_on_grid(one, grid) for one in maps], -1)
        assert torch.allclose(found[index], wanted, atol=1e-5), encoder.kind


def _on_grid(features: torch.Tensor, side: int) -> torch.Tensor:
    """[1, patches, width] or [1, width, rows, columns] as [1, side * side, width]."""
    if features.dim() == 3:
        rows = round(features.shape[1] ** 0.5)
        features = features.transpose(1, 2).reshape(1, -1, rows, rows)
    resized = functional.interpolate(features, size=(side, side), mode="bilinear")
    return resized.flatten(2).transpose(1, 2)


def _aligned(model: Any, pixel_values: torch.Tensor) -> list[torch.Tensor]:
    return [
        getattr(model, f"mm_projector_aux_{index}")(features)
        for index, features in enumerate(model.apart(model.encode(pixel_values)))
    ]


@torch.no_grad()
@pytest.mark.parametrize("size", SIZES)
def test_the_connector_agrees_with_the_naive_one(
    case: Case, tiny: Any, size: tuple[int, int]
) -> None:
    """Samplers before and inside the language model, border and newlines, to 1e-5."""
    height, width = size
    model = tiny.model
    inputs = case.processor.image_processor([picture(width, height, 4)], return_tensors="pt")
    aligned = [one[0] for one in _aligned(model, inputs["pixel_values"])]
    wanted = naive_cambrian.tokens(model, aligned, size)
    places = torch.zeros(1, len(wanted) + 3, dtype=torch.bool)
    places[0, 2 : 2 + len(wanted)] = True
    found, pictures = model._look(
        places, model.encode(inputs["pixel_values"]), inputs["image_sizes"]
    )
    assert torch.allclose(found, wanted, atol=1e-5)
    assert inputs["num_img_tokens"].tolist() == [len(wanted)]

    states = torch.randn(1, places.shape[1], tiny.config.hidden_size)
    after = pictures.after(0, states)
    rows, columns = naive_cambrian.rows_and_columns(*size, model.side)
    queries, where = {}, {}
    for line, y in enumerate(rows):
        for place, x in enumerate(columns):
            where[y, x] = 2 + line * (len(columns) + 1) + place
            queries[y, x] = states[0, where[y, x]]
    answers = naive_cambrian.sample(
        model.vision_sampler_layers[0], queries, aligned, size, model.side
    )
    expected = states.clone()
    for key, answer in answers.items():
        expected[0, where[key]] = answer
    assert torch.allclose(after, expected, atol=1e-5)
    assert torch.equal(pictures.after(1, states), states), "no sampler follows that layer"


def test_features_reach_the_samplers_inside_the_decoder_in_training(case: Case) -> None:
    """By gradient: each encoder's windows, as the inner sampler is given them, matter."""
    model: Any = case.fresh().train()
    given: list[torch.Tensor] = []

    def keep(module: Any, args: Any) -> None:
        for window in args[2]:
            window.retain_grad()
            given.append(window)

    model.model.vision_sampler_layers[0].register_forward_pre_hook(keep)
    batch = case.batch([case.row(("What?", "This."))])
    labels = batch.pop("labels")
    logits = model(**batch).logits.reshape(-1, model.config.vocab_size)
    functional.cross_entropy(logits, labels[labels != -100]).backward()
    assert len(given) == 4
    assert all(window.grad is not None and window.grad.abs().max() > 0 for window in given)
    for name, parameter in model.model.vision_sampler_layers.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


# -- text and generation -----------------------------------------------------------------------


@torch.no_grad()
def test_places_are_never_looked_up_and_the_published_id_is_one(case: Case, tiny: Any) -> None:
    inputs = dict(
        case.processor(text=["a<image>b"], images=[[picture(50, 40, 1)]], return_tensors="pt")
    )
    ids = inputs["input_ids"]
    places = ids == case.processor.image_token_id
    own = case.processor.image_token_id
    assert own >= tiny.config.vocab_size or own == tiny.config.image_token_id
    start = case.processor.tokenizer.bos_token_id
    again = ids[0, places[0].nonzero()[-1] + 1] == start
    assert again == (case.processor.tokenizer.bos_token == "<|begin_of_text|>"), "as published"
    wanted = tiny(**inputs).logits
    given = ids.masked_fill(places, -200)
    assert torch.equal(tiny(**{**inputs, "input_ids": given}).logits, wanted)
    assert int(given.min()) == -200
    with pytest.raises(ValueError, match="image tokens, but no pixel_values"):
        tiny(ids)
    with pytest.raises(ValueError, match="the text another number of places"):
        tiny(**{**inputs, "input_ids": ids[:, :10], "attention_mask": None})


@torch.no_grad()
def test_answers_are_the_same_with_and_without_a_cache(case: Case, tiny: Any) -> None:
    inputs = dict(
        case.processor(text=["a<image>b"], images=[[picture(50, 40, 1)]], return_tensors="pt")
    )
    options = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": 1_000}
    cached = tiny.generate(**inputs, **options, use_cache=True)
    assert torch.equal(cached, tiny.generate(**inputs, **options, use_cache=False))


def test_keeping_the_encoders_output_changes_nothing_and_runs_them_once(
    case: Case, tmp_path: Path
) -> None:
    check_kept_features(case, tmp_path, lambda model: list(model.vision_tower_aux_list))
