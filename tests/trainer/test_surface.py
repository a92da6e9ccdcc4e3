"""The Python surface: `vlm_trainer(model_id=…, train_dataset=rows, config=…).train()`."""

from __future__ import annotations

import base64
import gc
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from kolm_cli.core.errors import InputError
from kolm_cli.trainer.vlm import VLMTrainConfig, vlm_trainer
from tests.support.cases import Case

QUICK: dict[str, Any] = {
    "bf16": False,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 1,
    "num_train_epochs": 2,
    "learning_rate": 1e-3,
}

PROMISED = {
    "model_id",
    "papers",
    "lora_r",
    "lora_alpha",
    "lora_targets",
    "freeze_vision",
    "frozen_modules",
    "trainable_modules",
    "learning_rate",
    "max_seq_length",
    "train_examples",
}


def picture(i: int) -> Image.Image:
    return Image.new("RGB", (56, 56), (i * 20 % 256, 90, 200))


def as_path(image: Image.Image, folder: Path, i: int) -> Path:
    path = folder / f"{i}.png"
    image.save(path)
    return path


def as_base64(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, Any]]:
    """One row of each kind of image, several images, several turns."""
    forms = [
        lambda i: picture(i),
        lambda i: as_path(picture(i), tmp_path, i),
        lambda i: str(as_path(picture(i), tmp_path, i)),
        lambda i: as_base64(picture(i)),
        lambda i: "data:image/png;base64," + as_base64(picture(i)),
    ]
    made: list[dict[str, Any]] = [
        {"image": form(i), "prompt": f"q{i}", "response": f"a{i}"} for i, form in enumerate(forms)
    ]
    made.append({"images": [picture(6), picture(7)], "prompt": "both?", "response": "yes"})
    made.append(
        {
            "image": picture(8),
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "first?"},
                {"role": "assistant", "content": "one"},
                {"role": "user", "content": "second?"},
                {"role": "assistant", "content": "two"},
            ],
        }
    )
    made.append({"prompt": "no image", "response": "fine"})
    return made


def test_trains_and_says_what_it_did(
    tiny_base: Callable[[str], Path], rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    config = VLMTrainConfig(lora_r=16, **QUICK)
    trainer = vlm_trainer(
        model_id=str(tiny_base("qwen2_5_vl")), train_dataset=rows, config=config, device="cpu"
    ).train()
    assert type(trainer.model).__name__ == "PeftModelForCausalLM"
    receipt = trainer.receipt()
    for key in PROMISED:
        assert key in receipt, key
    assert receipt["train_examples"] == len(rows)
    assert receipt["model_id"] == "qwen2_5_vl", "no path of this machine"
    assert "model.visual.merger.mlp.*.weight" in receipt["trainable_modules"]
    assert "model.visual.blocks.*.attn.qkv.weight" in receipt["frozen_modules"]
    evidence = receipt["evidence"]
    assert evidence["tensors_with_gradient"] == evidence["tensors_trainable"]
    assert evidence["frozen_digests_before"] == evidence["frozen_digests_after"]
    assert evidence["adapters_per_part"] == {"vision": 0, "projector": 0, "language": 14}
    assert evidence["projector_inputs_with_gradient_history"] == 0
    assert evidence["projector_calls_observed"] > 0
    folder = trainer.save(tmp_path / "out")
    lists = json.loads((folder / "modules.json").read_bytes())
    held = {f"adapter/{path.name}": set(load_file(path)) for path in folder.glob("*.safetensors")}
    for entry in lists["trainable"]:
        held[entry["file"]].remove(entry["tensor"])
    assert not any(held.values()), "a saved tensor stands in no list"


def test_cached_vision_gives_the_gradients_of_uncached(
    tiny_base: Callable[[str], Path], rows: list[dict[str, Any]]
) -> None:
    gradients = []
    for cached in (False, True):
        trainer = vlm_trainer(
            str(tiny_base("qwen2_5_vl")),
            rows,
            VLMTrainConfig(cache_vision=cached, lora_dropout=0.0, **QUICK),
            device="cpu",
        ).train()
        full = {
            name: parameter.detach().clone()
            for name, parameter in trainer.model.named_parameters()
            if parameter.requires_grad
        }
        gradients.append(full)
    for name, tensor in gradients[0].items():
        assert torch.allclose(tensor, gradients[1][name], rtol=1e-4, atol=1e-6), name


def test_every_bad_row_is_named_by_its_index(tiny_base: Callable[[str], Path]) -> None:
    rows = [
        {"image": "nowhere.png", "prompt": "q", "response": "a"},
        {"image": picture(1), "prompt": "q"},
        {"image": picture(1), "prompt": "q", "response": "a", "extra": 1},
    ]
    with pytest.raises(InputError) as caught:
        vlm_trainer(str(tiny_base("qwen2_5_vl")), rows, VLMTrainConfig(**QUICK), device="cpu")
    places = [problem.where for problem in caught.value.problems]
    assert places == ["rows[0]", "rows[1]", "rows[2]"]


def test_an_unknown_option_names_the_likely_one() -> None:
    with pytest.raises(ValueError, match="lora_r"):
        VLMTrainConfig(lora_rank=8)  # type: ignore[call-arg]


def test_a_trainable_tensor_without_gradient_fails_by_name(
    new_case: Callable[..., Case], tmp_path: Path
) -> None:
    """Rows without images are refused before; what gets past is caught by what was observed."""
    from kolm_cli.trainer.evidence import EvidenceError

    case = new_case("qwen2_5_vl")
    text_only = [case.row((f"q{i}", "a"), images=[], name=f"{i}") for i in range(8)]
    trainer = case.trainer(text_only, tmp_path, **QUICK)
    with pytest.raises(EvidenceError) as caught:
        trainer.train()
    names = {problem.where for problem in caught.value.problems}
    assert "model.visual.merger.ln_q.weight" in names
    assert all(name.startswith("model.visual.merger") for name in names)


def test_without_an_output_dir_nothing_is_left_on_disk(
    tiny_base: Callable[[str], Path],
    rows: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    base = str(tiny_base("qwen2_5_vl"))
    trainer = vlm_trainer(base, rows, VLMTrainConfig(**QUICK), device="cpu").train()
    assert list(tmp_path.glob("kolm-*"))
    del trainer
    gc.collect()
    assert not list(tmp_path.glob("kolm-*"))
