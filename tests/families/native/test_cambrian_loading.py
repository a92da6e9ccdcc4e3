"""A published Cambrian-1 checkpoint: its encoders and its processor come from elsewhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from kolm_cli.core.errors import InputError, LackingError
from kolm_cli.core.file_digests import FileMemo
from kolm_cli.families.native.cambrian.encoders import PUBLISHED
from kolm_cli.families.resolve import resolve_base
from tests.support.cases import Case, picture

ENCODERS = "model.vision_tower_aux_list."


@pytest.fixture(scope="module")
def case(new_case: Callable[..., Case]) -> Case:
    return new_case("cambrian")


def _without_encoders(case: Case, folder: Path) -> dict[str, torch.Tensor]:
    """A checkpoint as published: no encoders in it, no processor beside it. Returns the former."""
    shutil.copytree(case.folder, folder)
    weights = load_file(folder / "model.safetensors")
    encoders = {key: weights.pop(key) for key in list(weights) if key.startswith(ENCODERS)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "processor_config.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    config["mm_vision_tower_aux_list"] = list(PUBLISHED)
    (folder / "config.json").write_text(json.dumps(config))
    return encoders


def _as_open_clip(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A ConvNeXt's weights under the names that timm gives them."""
    renamed = {}
    for name, tensor in weights.items():
        if name.startswith("layernorm."):
            continue
        for ours, theirs in {
            "embeddings.patch_embeddings": "stem.0",
            "embeddings.layernorm": "stem.1",
            "encoder.": "",
            "downsampling_layer": "downsample",
            ".layers.": ".blocks.",
            "dwconv": "conv_dw",
            "layernorm": "norm",
            "pwconv": "mlp.fc",
            "layer_scale_parameter": "gamma",
        }.items():
            name = name.replace(ours, theirs)
        renamed[f"visual.trunk.{name}"] = tensor
    return {**renamed, "visual.head.proj.weight": torch.zeros(2, 2), "logit_scale": torch.ones(1)}


def _publish(hub: Path, case: Case, encoders: dict[str, torch.Tensor]) -> None:
    """The four encoders' repositories in a hub cache."""
    for index, entry in enumerate(PUBLISHED.values()):
        prefix = f"{ENCODERS}{index}.vision_tower."
        weights = {k.removeprefix(prefix): v for k, v in encoders.items() if k.startswith(prefix)}
        folder = hub / f"models--{entry.repository.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("c0ffee")
        snapshot = folder / "snapshots" / "c0ffee"
        snapshot.mkdir(parents=True)
        name = "model.safetensors"
        if entry.config["model_type"] == "convnext":
            name, weights = "open_clip_model.safetensors", _as_open_clip(weights)
        save_file(weights, snapshot / name, metadata={"format": "pt"})
        config = case.base.config["encoder_configs"][index]
        (snapshot / "config.json").write_text(json.dumps(config))


def test_encoders_are_loaded_from_their_own_checkpoints(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoders = _without_encoders(case, tmp_path / "base")
    _publish(tmp_path / "hub", case, encoders)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    base = resolve_base(str(tmp_path / "base"))
    with FileMemo() as memo:
        weights = base.weights(memo)
    named = {name.rpartition("/")[0] for name in weights}
    assert named == {"", *(entry.repository for entry in PUBLISHED.values())}
    model, info = base.family.load_model(base.source, **base.load_options())
    assert not any(info.values()), info
    loaded = model.state_dict()
    unread = f"{ENCODERS}3.vision_tower.layernorm."
    for key, tensor in case.fresh().state_dict().items():
        assert key.startswith(unread) or torch.equal(loaded[key], tensor), key


def test_encoders_that_are_not_here_are_all_named(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_encoders(case, tmp_path / "base")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(LackingError) as caught:
        resolve_base(str(tmp_path / "base"))
    wanted = [entry.repository for entry in PUBLISHED.values()]
    assert [problem.where for problem in caught.value.problems] == wanted
    assert f"hf download {wanted[0]}" in caught.value.problems[0].fix


def test_an_encoder_of_another_shape_is_refused(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoders = _without_encoders(case, tmp_path / "base")
    lost = f"{ENCODERS}3.vision_tower.embeddings.patch_embeddings.bias"
    del encoders[lost]
    _publish(tmp_path / "hub", case, encoders)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    base = resolve_base(str(tmp_path / "base"))
    with pytest.raises(InputError, match=r"not as expected: embeddings\.patch_embeddings\.bias"):
        base.family.load_model(base.source, **base.load_options())


def test_a_published_checkpoints_processor_is_made_from_its_tokenizer(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(tmp_path / "hub", case, _without_encoders(case, tmp_path / "base"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    base = resolve_base(str(tmp_path / "base"))
    processor = base.family.load_processor(base.source, **base.load_options())
    assert processor.image_processor.picture_sizes == [384, 336, 378, 1024]
    found = processor.image_processor([picture(640, 480, 0)], return_tensors="pt")
    assert found["pixel_values"].shape == (1, 3 * (384**2 + 336**2 + 378**2 + 1024**2))
    assert found["num_img_tokens"].tolist() == [18 * 25]
    square = processor.image_processor([picture(500, 500, 0)], return_tensors="pt")
    assert square["num_img_tokens"].tolist() == [24 * 25]


def test_a_tokenizer_without_a_template_is_vicunas(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(tmp_path / "hub", case, _without_encoders(case, tmp_path / "base"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("chat_template.jinja", "chat_template.json"):
        (tmp_path / "base" / name).unlink(missing_ok=True)
    config = json.loads((tmp_path / "base" / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (tmp_path / "base" / "tokenizer_config.json").write_text(json.dumps(config))
    base = resolve_base(str(tmp_path / "base"))
    processor = base.family.load_processor(base.source, **base.load_options())
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "<image>\nWhat?"},
        {"role": "assistant", "content": "This."},
    ]
    tokenizer = processor.tokenizer
    asked = processor.apply_chat_template(turns[:2], add_generation_prompt=True)
    start, end = tokenizer.bos_token, tokenizer.eos_token
    assert asked == f"{start}Be brief. USER: <image>\nWhat? ASSISTANT:"
    assert processor.apply_chat_template(turns) == f"{asked} This.{end}"
