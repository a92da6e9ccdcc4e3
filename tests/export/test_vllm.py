"""`vllm`: a LoRA folder, and a thin base where something was trained in full."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from kolm_cli.export.base import Source
from kolm_cli.export.catalog import get_format
from kolm_cli.families.catalog import by_name
from kolm_cli.pipeline.export import problems_of
from kolm_cli.trainer.adapter_files import load_adapter
from tests.export.exports import exported, loaded
from tests.support.cases import Case, logits_of
from tests.support.kinds import CASES, case_id

QUICK = {("qwen2_5_vl", ""), ("llava_next", "mistral"), ("idefics3", "")}
KEYS = [
    pytest.param(key, marks=[] if key in QUICK else [pytest.mark.slow], id=case_id(key))
    for key in CASES
]


@pytest.mark.parametrize("key", KEYS)
def test_the_adapter_on_the_thin_base_answers_as_it_was_scored(
    key: tuple[str, str],
    new_case: Callable[..., Case],
    new_source: Callable[..., Source],
    tmp_path: Path,
) -> None:
    case = new_case(*key)
    source = new_source(case)
    folder = exported(source, "vllm", tmp_path / "vllm")
    rows = case.variety()[:2]
    served = PeftModel.from_pretrained(loaded(folder / "base"), str(folder / "adapter"))
    adapted = load_adapter(case.fresh(), case.family, source.adapter)
    assert torch.equal(logits_of(case, served, rows), logits_of(case, adapted, rows))
    links = [path for path in (folder / "base").iterdir() if path.is_symlink()]
    assert [link.resolve() for link in links] == [(case.folder / "model.safetensors").resolve()]
    own = sum(p.stat().st_size for p in folder.rglob("*.safetensors") if not p.is_symlink())
    assert own < case.folder.joinpath("model.safetensors").stat().st_size


def test_the_script_has_the_exact_command(
    new_case: Callable[..., Case], new_source: Callable[..., Source], tmp_path: Path
) -> None:
    source = new_source(new_case("llava_next"), lora_r=9, lora_alpha=18)
    folder = exported(source, "vllm", tmp_path / "a folder")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "vllm").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (programs / "vllm").chmod(0o755)
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", folder / "serve.sh", "--port", "1"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "serve",
        f"{folder}/base",
        *("--dtype", "float32", "--enable-lora", "--max-lora-rank", "16"),
        *("--lora-modules", f"{source.cid}={folder}/adapter"),
        *("--port", "1"),
    ]


def test_a_hub_base_that_nothing_was_added_to_is_served_as_it_is(
    new_case: Callable[..., Case], new_source: Callable[..., Source], tmp_path: Path
) -> None:
    """Many adapters share one server then."""
    source = new_source(new_case("llava_next"), projector="freeze")
    base = Source(**vars(source)).base
    hub = type(base)(**{**vars(base), "name": "owner/base", "revision": "a" * 40})
    folder = exported(Source(**{**vars(source), "base": hub}), "vllm", tmp_path / "vllm")
    assert not (folder / "base").exists()
    said = json.loads((folder / "kolm-export.json").read_bytes())
    assert said["serve"]["hub"] == ["owner/base", "a" * 40]
    assert "vllm serve owner/base --dtype float32" in (folder / "serve.sh").read_text()
    config = json.loads((folder / "adapter" / "adapter_config.json").read_bytes())
    assert (config["base_model_name_or_path"], config["revision"]) == ("owner/base", "a" * 40)


def test_a_family_that_its_programs_lack_says_what_works(
    new_case: Callable[..., Case], new_source: Callable[..., Source]
) -> None:
    source = new_source(new_case("text"))
    cambrian = replace(source, base=replace(source.base, family=by_name("cambrian")))
    [problem] = problems_of(cambrian, get_format("vllm"))
    assert "cambrian cannot be exported to vllm" in problem.what
    assert problem.fix == "what works: --to merged, peft"
    assert problems_of(source, get_format("vllm")) == []
