"""Phi-3.5-vision: published weights, images, joining, text, generation; each checked on its own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPVisionModel,
    Phi3Config,
    Phi3ForCausalLM,
)

from kolm_cli.core.errors import InputError
from kolm_cli.encoding.encoded import RowError
from kolm_cli.families.catalog import by_name
from kolm_cli.families.detect import detect
from kolm_cli.families.native import phi3_v
from kolm_cli.families.resolve import resolve_base
from tests.families.native import naive_phi3_v, published_tensors
from tests.families.native.kept_features import check_kept_features
from tests.support.cases import Case, picture

PUBLISHED = published_tensors.read("phi3_5_vision")
CHECKPOINTS = PUBLISHED["checkpoints"]
CODE = {"AutoConfig": "configuration_phi3_v.Phi3VConfig", "AutoModel": "modeling_phi3_v.Evil"}


@pytest.fixture(scope="module")
def case(new_case: Callable[..., Case]) -> Case:
    return new_case("phi3_v")


@pytest.fixture(scope="module")
def tiny(case: Case) -> Any:
    return case.fresh().eval()


def published(checkpoint: str, **other: Any) -> dict[str, Any]:
    """A published config.json; the rope's factors are made up, of the published length."""
    rope = {"type": "su", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48}
    changes = {**CHECKPOINTS[checkpoint], "rope_scaling": rope, **other}
    return {**PUBLISHED["configuration"], **changes}


# -- published checkpoints ---------------------------------------------------------------------


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_kolms_code_answers_for_a_checkpoint_that_brings_its_own(checkpoint: str) -> None:
    config = published(checkpoint)
    assert "auto_map" in config
    assert detect(checkpoint, config).name == "phi3_v"
    with pytest.raises(InputError, match=r"kolm has its own code for phi3_v") as caught:
        detect(checkpoint, config, trust_remote_code=True)
    assert caught.value.problems[0].fix == "remove trust_remote_code from base:"


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_all_published_tensors_load_at_full_size(checkpoint: str, tmp_path: Path) -> None:
    phi3_v.register()
    (tmp_path / "config.json").write_text(json.dumps(published(checkpoint)))
    config = AutoConfig.from_pretrained(tmp_path)
    tensors = {
        name: torch.empty(shape, dtype=torch.bfloat16, device="meta")
        for name, shape in PUBLISHED["tensors"].items()
    }
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    assert {name: tuple(t.shape) for name, t in model.state_dict().items()} == PUBLISHED["tensors"]
    loaded, info = type(model).from_pretrained(
        None, config=config, state_dict=tensors, output_loading_info=True, device_map="meta"
    )
    assert not any(info.values()), info
    assert sum(p.numel() for p in loaded.parameters()) == 4_146_621_440
    assert config.rope_parameters["rope_type"] == "longrope"
    assert config.rope_parameters["original_max_position_embeddings"] == 4096
    assert config.vision_config.image_size == 336
    assert not hasattr(config, "auto_map")


def test_saving_writes_the_published_names(case: Case, tmp_path: Path) -> None:
    case.fresh().save_pretrained(tmp_path)  # type: ignore[operator]
    layers = re.compile(r"\.layers\.(\d+)\.")
    wanted = {
        name
        for name in PUBLISHED["tensors"]
        if (match := layers.search(name)) is None or int(match.group(1)) < 2
    }
    for folder in (case.folder, tmp_path):
        with safe_open(folder / "model.safetensors", "pt") as file:
            assert set(file.keys()) == wanted


def test_a_checkpoint_with_code_loads_natively_and_is_saved_without(
    case: Case, tmp_path: Path
) -> None:
    folder = tmp_path / "published"
    shutil.copytree(case.folder, folder)
    settings = json.loads((folder / "processor_config.json").read_text())
    for name, content in {
        "config.json": json.loads((folder / "config.json").read_text()),
        # The published checkpoint has the older of the two files.
        "preprocessor_config.json": {
            **settings["image_processor"],
            "processor_class": "Phi3VProcessor",
        },
    }.items():
        content["auto_map"] = {**CODE, "AutoProcessor": "x.Evil", "AutoImageProcessor": "x.Evil"}
        (folder / name).write_text(json.dumps(content))
    (folder / "processor_config.json").unlink()
    (folder / "configuration_phi3_v.py").write_text("raise SystemExit('the code ran')")
    base = resolve_base(str(folder))
    processor = base.family.load_processor(base.source, **base.load_options())
    model, info = base.family.load_model(base.source, **base.load_options())
    assert not any(info.values())
    assert type(processor).__module__ == "kolm_cli.families.native.phi3_v.processing"
    assert processor.image_processor.tile_size == 56
    model.save_pretrained(tmp_path / "saved")
    processor.save_pretrained(tmp_path / "saved")
    for file in (tmp_path / "saved").glob("*.json"):
        assert "auto_map" not in file.read_text(), file.name
    again = AutoProcessor.from_pretrained(tmp_path / "saved")
    assert type(again) is type(processor)


def test_another_projector_is_refused() -> None:
    phi3_v.register()
    with pytest.raises(ValueError, match=r"embd_layer must be as published.*hd_transform_order"):
        AutoConfig.for_model("phi3_v", embd_layer={"hd_transform_order": "glb_sub"})


# -- images ------------------------------------------------------------------------------------


def _full_size(most: int) -> Any:
    from kolm_cli.families.native.phi3_v.image_processing import Phi3VImageProcessor

    return Phi3VImageProcessor(num_crops=most)


@pytest.mark.parametrize(("most", "tokens"), [(4, 757), (16, 1921)])
def test_published_token_counts(most: int, tokens: int) -> None:
    found = _full_size(most)([picture(640, 480, 0)], return_tensors="pt")
    assert found["num_img_tokens"].tolist() == [tokens]


SIZES = [(640, 480), (480, 640), (1, 1), (7, 300), (2000, 11), (337, 335), (336, 672), (301, 299)]


@pytest.mark.parametrize("most", [1, 4, 5, 16])
@pytest.mark.parametrize("size", SIZES)
def test_tiles_and_tokens_of_odd_sizes(size: tuple[int, int], most: int) -> None:
    rows, columns = naive_phi3_v.tiles_of(*size, most)
    found = _full_size(most)([picture(*size, 0)], return_tensors="pt")
    assert found["image_sizes"].tolist() == [[336 * rows, 336 * columns]]
    assert found["pixel_values"].shape == (1, 1 + rows * columns, 3, 336, 336)
    features = torch.zeros(1 + rows * columns, 576, 1)
    joined = naive_phi3_v.join(features, rows, columns, torch.zeros(4), torch.zeros(4))
    assert found["num_img_tokens"].tolist() == [len(joined)]


@pytest.mark.parametrize("size", [(48, 40), (40, 48), (90, 17), (13, 90), (57, 57)])
def test_pixels_are_those_of_the_naive_transform(case: Case, size: tuple[int, int]) -> None:
    processor = case.processor.image_processor
    image = picture(*size, 1)
    found = processor([image], image_mean=[0.4] * 3, image_std=[0.3] * 3, return_tensors="pt")
    wanted = naive_phi3_v.views(image, most=4, tile=56, mean=0.4, std=0.3)
    assert torch.allclose(found["pixel_values"][0, 1:], wanted, atol=1e-5)


def test_an_image_of_one_color_is_padded_white(case: Case) -> None:
    image = Image.new("RGB", (112, 30), "black")
    found = case.processor.image_processor(
        [image], image_mean=[0.0] * 3, image_std=[1.0] * 3, return_tensors="pt"
    )
    tile = found["pixel_values"][0, 1]
    assert tile[:, 0].min() == 1
    assert tile[:, 28].max() == 0
    assert tile[:, -1].min() == 1


# -- the numerics, half by half ----------------------------------------------------------------


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 4), (3, 1), (2, 3), (5, 2)])
def test_joining_agrees_with_the_naive_one(rows: int, columns: int) -> None:
    from kolm_cli.families.native.phi3_v.joining import join_views

    torch.manual_seed(rows * 10 + columns)
    views = torch.randn(1 + rows * columns, 36, 5)
    newline, separator = torch.randn(1, 1, 1, 20), torch.randn(1, 1, 20)
    found = join_views(views, rows, columns, newline=newline, separator=separator)
    wanted = naive_phi3_v.join(views, rows, columns, newline.flatten(), separator.flatten())
    assert torch.allclose(found, wanted, atol=1e-5)


@torch.no_grad()
def test_text_goes_through_transformers_own_decoder(tiny: Any) -> None:
    shared = set(Phi3Config().to_dict()) - {"architectures", "model_type"}
    config = Phi3Config(**{k: v for k, v in tiny.config.to_dict().items() if k in shared})
    own = Phi3ForCausalLM(config).eval()
    weights = {k: v for k, v in tiny.state_dict().items() if "vision_embed_tokens" not in k}
    own.load_state_dict(weights, strict=True)
    ids = torch.randint(0, 250, (2, 40))
    assert torch.allclose(tiny(ids).logits, own(ids).logits, atol=1e-5)


@torch.no_grad()
def test_images_go_through_transformers_own_tower(case: Case, tiny: Any) -> None:
    """CLIP's own class, the naive joining, and the two linear layers written out."""
    embedding = tiny.model.vision_embed_tokens
    clip = CLIPVisionModel(tiny.config.vision_config).eval()
    clip.load_state_dict(embedding.img_processor.vision_model.state_dict(), strict=True)
    images = [picture(100, 30, 1), picture(30, 90, 2), picture(50, 50, 3)]
    inputs = case.processor.image_processor(images, return_tensors="pt")
    found = embedding(inputs["pixel_values"], inputs["image_sizes"])
    wanted = []
    for pixels, (height, width) in zip(
        inputs["pixel_values"], inputs["image_sizes"].tolist(), strict=True
    ):
        rows, columns = height // 56, width // 56
        views = pixels[: 1 + rows * columns]
        features = clip(views, output_hidden_states=True).hidden_states[-2][:, 1:]
        joined = naive_phi3_v.join(
            features, rows, columns, embedding.sub_GN.flatten(), embedding.glb_GN.flatten()
        )
        first, last = embedding.img_projection[0], embedding.img_projection[2]
        hidden = nn.functional.gelu(joined @ first.weight.T + first.bias)
        wanted.append(hidden @ last.weight.T + last.bias)
    assert torch.allclose(found, torch.cat(wanted), atol=1e-5)


# -- text --------------------------------------------------------------------------------------


def _inputs(case: Case, text: str, *images: Image.Image) -> dict[str, Any]:
    return dict(case.processor(text=[text], images=[list(images)], return_tensors="pt"))


def test_each_image_becomes_its_tokens_and_a_start_token(case: Case) -> None:
    images = [picture(100, 30, 1), picture(30, 90, 2)]
    inputs = _inputs(case, "a<|image_1|>b<|image_2|>c", *images)
    tokenizer = case.processor.tokenizer
    counts = case.processor.image_processor(images, return_tensors="pt")["num_img_tokens"].tolist()
    wanted = tokenizer("a")["input_ids"]
    for count, text in zip(counts, "bc", strict=True):
        wanted += [case.processor.image_token_id] * count + tokenizer(text)["input_ids"]
    assert inputs["input_ids"][0].tolist() == wanted
    assert "num_img_tokens" not in inputs


@pytest.mark.parametrize(
    ("text", "count", "wrong"),
    [
        ("<|image_2|>", 1, r"numbered from 1 in their order, not \[2\]"),
        ("<|image_2|> <|image_1|>", 2, r"not \[2, 1\]"),
        ("<|image_1|> <|image_1|>", 2, r"not \[1, 1\]"),
        ("<|image_1|>", 2, "1 image placeholders, but 2 images"),
        ("<|image|>", 1, r"the text holds <\|image\|>"),
    ],
)
def test_placeholders_that_do_not_count_the_images_are_refused(
    case: Case, text: str, count: int, wrong: str
) -> None:
    with pytest.raises(ValueError, match=wrong):
        _inputs(case, text, *[picture(40, 40, n) for n in range(count)])


def test_texts_of_one_batch_count_their_own_images(case: Case) -> None:
    first, second = picture(100, 30, 1), picture(30, 90, 2)
    both = case.processor(
        text=["a<|image_1|>", "b<|image_1|>"],
        images=[[first], [second]],
        padding=True,
        return_tensors="pt",
    )
    assert both["pixel_values"].shape[0] == 2
    alone = _inputs(case, "b<|image_1|>", second)
    length = alone["input_ids"].shape[1]
    ids = both["input_ids"][1][both["attention_mask"][1].bool()]
    assert ids.tolist() == alone["input_ids"][0].tolist()
    assert len(ids) == length


def test_images_are_numbered_through_the_conversation(case: Case) -> None:
    row = case.row(("Both?", "Two."), images=[(40, 40), (90, 32)])
    family = by_name("phi3_v")
    assert family is not None
    [question, _] = family.messages(row.conversation)
    assert question["content"] == "<|image_1|>\n<|image_2|>\nBoth?"
    bad = case.row(("What is in <|image_7|>?", "This."))
    with pytest.raises(RowError, match=r"'<\|image_', which the model keeps for itself"):
        case.encode(bad)


@torch.no_grad()
def test_negative_ids_are_images_and_are_never_looked_up(case: Case, tiny: Any) -> None:
    """The published processor writes -1 for the first image, -2 for the second."""
    inputs = _inputs(case, "a<|image_1|>b<|image_2|>c", picture(100, 30, 1), picture(30, 90, 2))
    wanted = tiny(**inputs).logits
    negative = inputs["input_ids"].clone()
    places = negative == case.processor.image_token_id
    boundary = places.nonzero()[len(places.nonzero()) // 2, 1]
    negative[:, :boundary][places[:, :boundary]] = -1
    negative[:, boundary:][places[:, boundary:]] = -2
    given, seen = negative.clone(), []
    hook = tiny.model.embed_tokens.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    found = tiny(**{**inputs, "input_ids": given}).logits
    hook.remove()
    assert torch.equal(found, wanted)
    assert all(ids.min() >= 0 for ids in seen)
    assert not any((ids == case.processor.image_token_id).any() for ids in seen)
    assert torch.equal(given, negative), "the caller's ids are as they were"


def test_images_and_places_that_do_not_agree_are_an_error(case: Case, tiny: Any) -> None:
    inputs = _inputs(case, "a<|image_1|>", picture(100, 30, 1))
    ids = inputs["input_ids"]
    with pytest.raises(ValueError, match="image tokens, but no pixel_values"):
        tiny(ids)
    with pytest.raises(ValueError, match="the text another number of places"):
        tiny(ids[:, :-3], pixel_values=inputs["pixel_values"], image_sizes=inputs["image_sizes"])
    with pytest.raises(ValueError, match="exactly one of input_ids and inputs_embeds"):
        tiny()


# -- generation --------------------------------------------------------------------------------


@torch.no_grad()
def test_answers_across_the_switch_to_the_long_factor(case: Case) -> None:
    """Past the original length the prompt is read again, images too, with the long factor."""
    model: Any = case.fresh().eval()
    config = case.base.config
    inputs = _inputs(case, "a<|image_1|>bc", picture(100, 30, 1))
    length = inputs["input_ids"].shape[1]
    rope = {**config["rope_parameters"], "original_max_position_embeddings": length + 3}
    values = {**config, "original_max_position_embeddings": length + 3, "rope_parameters": rope}
    values.pop("model_type")
    long = type(model)(type(model.config)(**values)).eval()
    long.load_state_dict(model.state_dict(), strict=True)
    options = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": 1_000}
    shown = []
    embedding = long.model.vision_embed_tokens
    embedding.register_forward_hook(lambda *_: shown.append(1))
    cached = long.generate(**inputs, **options, use_cache=True)
    assert len(shown) == 2, "the images are shown when the prompt is read, and never else"
    plain = long.generate(**inputs, **options, use_cache=False)
    assert torch.equal(cached, plain)
    # The factor decides: past the switch, the same weights with the short factor differ.
    ids = cached[:, : length + 5]
    images = {key: inputs[key] for key in ("pixel_values", "image_sizes")}
    assert not torch.allclose(long(ids, **images).logits, model(ids, **images).logits, atol=1e-4)


# -- the tower's output, kept ------------------------------------------------------------------


def test_keeping_the_towers_output_changes_nothing_and_runs_the_tower_once(
    case: Case, tmp_path: Path
) -> None:
    check_kept_features(case, tmp_path, lambda model: [model.vision_embed_tokens.img_processor])
