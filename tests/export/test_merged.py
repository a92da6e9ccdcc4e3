"""`merged`: the folder gives the adapter's logits, and has all that the base had."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from kolm_cli.export import weights
from kolm_cli.export.base import Source
from kolm_cli.export.catalog import get_format
from kolm_cli.families.resolve import resolve_base
from kolm_cli.trainer.adapter_files import load_adapter
from kolm_cli.trainer.merged import Trained, merge
from tests.export.exports import exported, loaded, tensors
from tests.support.cases import Case, logits_of


def test_it_answers_as_the_adapter_does(
    case: Case, new_source: Callable[..., Source], tmp_path: Path
) -> None:
    source = new_source(case)
    folder = exported(source, "merged", tmp_path / "merged")
    rows = case.variety()[:4]
    found = logits_of(case, loaded(folder), rows)
    adapted = load_adapter(case.fresh(), case.family, source.adapter)
    expected = logits_of(case, adapted, rows)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max().clamp(min=1)
    assert not torch.allclose(logits_of(case, case.fresh(), rows), expected, atol=1e-3)
    merged = merge(adapted, source.adapter, bf16=False)
    assert torch.equal(logits_of(case, merged, rows), found), "what is scored is what ships"

    before, after = tensors(case.folder), tensors(folder)
    assert before.keys() == after.keys()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert len(changed) == len(Trained.read(source.adapter).names())
    processor = case.family.load_processor(str(folder))
    assert processor.__class__ is case.processor.__class__
    assert (folder / "generation_config.json").is_file()


@pytest.mark.parametrize(
    "options",
    [
        {"freeze_vision": False},
        {"projector": "lora", "projector_lora_r": 2, "vision": "lora", "vision_lora_r": 8},
    ],
    ids=["the tower in full", "lora everywhere, of three ranks"],
)
def test_whatever_was_trained_is_merged(
    options: dict[str, Any],
    new_case: Callable[..., Case],
    new_source: Callable[..., Source],
    tmp_path: Path,
) -> None:
    case = new_case("qwen2_5_vl")
    source = new_source(case, **options)
    folder = exported(source, "merged", tmp_path / "merged")
    rows = case.variety()[:2]
    expected = logits_of(case, load_adapter(case.fresh(), case.family, source.adapter), rows)
    found = logits_of(case, loaded(folder), rows)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max().clamp(min=1)
    before, after = tensors(case.folder), tensors(folder)
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert len(changed) == len(Trained.read(source.adapter).names())
    assert any(key.startswith("visual.blocks") for key in changed)


def split(folder: Path, count: int) -> None:
    """Make a base of several files of it, as large checkpoints are."""
    whole = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(whole)
    where = {}
    for number in range(count):
        file = f"model-{number + 1:05}-of-{count:05}.safetensors"
        part = {name: whole[name] for name in names[number::count]}
        save_file(part, folder / file, metadata={"format": "pt"})
        where |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": 1}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.fixture
def in_three_files(new_case: Callable[..., Case], tmp_path: Path) -> Case:
    folder = tmp_path / "sharded"
    shutil.copytree(new_case("llava_next").folder, folder)
    split(folder, 3)
    # Mistral's repositories have the same weights once more, under other names.
    shutil.copy(folder / "model-00001-of-00003.safetensors", folder / "consolidated.safetensors")
    return Case(folder, resolve_base(str(folder)))


def test_files_are_cut_where_they_become_large(
    in_three_files: Case,
    new_source: Callable[..., Source],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = in_three_files
    before = sum(tensor.nbytes for tensor in tensors(case.folder).values())
    monkeypatch.setattr(weights, "SHARD_BYTES", before // 8)
    source = new_source(case)
    folder = exported(source, "merged", tmp_path / "merged")
    files = sorted(folder.glob("*.safetensors"))
    assert len(files) > 8
    assert all(file.stat().st_size < before // 8 + 20_000 for file in files)
    index = json.loads((folder / "model.safetensors.index.json").read_bytes())
    assert set(index["weight_map"].values()) == {file.name for file in files}
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in tensors(folder).values())
    rows = case.variety()[:2]
    adapted = load_adapter(case.fresh(), case.family, source.adapter)
    expected = logits_of(case, merge(adapted, source.adapter, bf16=False), rows)
    assert torch.equal(logits_of(case, loaded(folder), rows), expected)


def test_a_smaller_type_is_what_a_model_of_that_type_computes_with(
    new_case: Callable[..., Case], new_source: Callable[..., Source], tmp_path: Path
) -> None:
    case = new_case("llava_next")
    source = new_source(case, dtype="bfloat16")
    folder = exported(source, "merged", tmp_path / "merged")
    whole = tensors(folder)
    assert {tensor.dtype for tensor in whole.values()} == {torch.bfloat16}
    config = json.loads((folder / "config.json").read_bytes())
    assert config["dtype"] == "bfloat16"
    assert config["text_config"].get("dtype", "bfloat16") == "bfloat16"
    model = merge(case.fresh().to(torch.bfloat16), source.adapter, bf16=True)
    again = loaded(folder).to(torch.bfloat16)
    names = dict(again.named_parameters())
    assert all(torch.equal(names[name], value) for name, value in model.named_parameters())


def test_what_cannot_be_merged_is_said_with_what_works(
    new_case: Callable[..., Case], new_source: Callable[..., Source], tmp_path: Path
) -> None:
    case = new_case("text")
    folder = tmp_path / "base"
    shutil.copytree(case.folder, folder)
    config = json.loads((folder / "config.json").read_bytes())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    source = new_source(case)
    (folder / "config.json").write_text(json.dumps(config))
    quantized = Source(**{**vars(source), "base": resolve_base(str(folder))})
    [problem] = get_format("merged").problems(quantized)
    assert "quantized" in problem.what
    assert "--to peft" in problem.fix

    del config["quantization_config"]
    (folder / "config.json").write_text(json.dumps(config))
    whole = load_file(folder / "model.safetensors")
    name = next(name for name in whole if name.endswith("q_proj.weight"))
    whole[name] = whole[name].to(torch.int8)
    other = next(name for name in whole if name.endswith("k_proj.weight"))
    del whole[other]
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})
    found = get_format("merged").problems(
        Source(**{**vars(source), "base": resolve_base(str(folder))})
    )
    assert {(problem.where, problem.what) for problem in found} == {
        (name, "cannot be merged: the base's files hold it quantized, as I8"),
        (other, "cannot be merged: the base's files do not hold it"),
    }
