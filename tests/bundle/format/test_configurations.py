"""Configurations say only what the lists allow, when a bundle is written, verified or loaded."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.bundle.format.configurations import ADAPTER_FORMS, problems_of, require
from kolm_cli.core.errors import VerificationError
from kolm_cli.families.base import Family
from kolm_cli.families.catalog import families
from kolm_cli.trainer.lora import target_expression
from tests.bundle.checks.helpers import part, signed
from tests.bundle.forge import assert_refused, edit_json

ADAPTER = "adapter/adapter_config.json"
PROCESSOR = "processor/processor_config.json"

HOSTILE: dict[str, tuple[str, Any]] = {
    "an expression that takes all time": ("target_modules", "(a|a)*b"),
    "nested repetition": ("target_modules", r"(?:.*)*\.q_proj"),
    "many wildcards": ("target_modules", r"m\..*.*.*.*.*.*.*.*q_proj"),
    "many alternatives": ("target_modules", rf"m\..*(?:{'|'.join(['a'] * 400)})"),
    "a list": ("target_modules", ["q_proj"]),
    "every layer": ("target_modules", "all-linear"),
    "weights that take hours to make": ("init_lora_weights", "pissa_niter_100000"),
    "weights from the base": ("init_lora_weights", "loftq"),
    "one as true": ("init_lora_weights", 1),
    "layers copied": ("layer_replication", [[0, 10**6]]),
    "modules to save": ("modules_to_save", ["lm_head"]),
    "an optimizer's settings": ("corda_config", {"cache_file": "/etc/passwd"}),
    "Megatron": ("megatron_core", "evil.core"),
    "runtime": ("runtime_config", {"ephemeral_gpu_offload": True}),
    "a revision": ("revision", "main"),
    "dropout over 1": ("lora_dropout", 1.5),
    "bias": ("bias", "all"),
    "DoRA": ("use_dora", True),
    "rank as text": ("r", "2"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_adapter_configuration_beyond_the_list(name: str, tmp_path: Path) -> None:
    key, value = HOSTILE[name]
    data = edit_json(part(ADAPTER), lambda v: v.update({key: value}))
    path, signer = signed(tmp_path, {ADAPTER: data})
    assert_refused(path, signer, "configs", key)


@pytest.mark.parametrize(
    ("file", "value", "words"),
    [
        (
            PROCESSOR,
            {"audio_tokenizer": {"audio_tokenizer_name_or_path": "/tmp/evil"}},
            "audio_tokenizer",
        ),
        (PROCESSOR, {"audio_tokenizer": "evil/repo"}, "could make a loader read from elsewhere"),
        (PROCESSOR, {"image_processor": {"name_or_path": "evil/repo"}}, "name_or_path"),
        (PROCESSOR, {"text_encoder": {"a": 1}}, "'text_encoder' is not a part of a processor"),
        ("processor/tokenizer_config.json", {"name_or_path": "evil/repo"}, "from elsewhere"),
        ("processor/audio.json", {"a": [{"audio_tokenizer_class": "X"}]}, "from elsewhere"),
    ],
)
def test_a_processor_that_loads_something_else(
    file: str, value: Any, words: str, tmp_path: Path
) -> None:
    path, signer = signed(tmp_path, {file: json.dumps(value).encode()})
    assert_refused(path, signer, "configs", words)


def test_a_loader_refuses_a_folder_too(tmp_path: Path) -> None:
    for name in ("adapter", "processor"):
        (tmp_path / name).mkdir()
    (tmp_path / ADAPTER).write_bytes(part(ADAPTER))
    (tmp_path / PROCESSOR).write_bytes(part(PROCESSOR))
    require(tmp_path)
    (tmp_path / PROCESSOR).write_text('{"audio_tokenizer": {}}')
    (tmp_path / ADAPTER).write_text('{"modules_to_save": ["lm_head"]}')
    with pytest.raises(VerificationError) as caught:
        require(tmp_path)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_what_kolm_trains_is_allowed(family: Family) -> None:
    leaves = ("down_proj", "gate_up-proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")
    expression = target_expression(family, leaves)
    assert ADAPTER_FORMS["target_modules"](expression)
    both = f"{expression}|{target_expression(family, leaves)}"
    assert ADAPTER_FORMS["target_modules"](both)
    assert not ADAPTER_FORMS["target_modules"]("|".join([both, both]))
    data = edit_json(part(ADAPTER), lambda v: v.update(target_modules=expression))
    assert problems_of(ADAPTER, data) == []


@pytest.mark.parametrize(
    "pattern", [{}, {"q.*": 4}, {"q": 0}, {"q": 1.5}, {"q": True}, ["q"], {"a" * 300: 4}, {"": 4}]
)
@pytest.mark.parametrize("key", ["rank_pattern", "alpha_pattern"])
def test_a_pattern_is_of_whole_names_and_counts(key: str, pattern: Any) -> None:
    assert not ADAPTER_FORMS[key](pattern)
    assert ADAPTER_FORMS[key]({"model.visual.merger.mlp.0": 8})


def test_an_allowed_expression_takes_little_time() -> None:
    layers = "|".join(f"{'a' * 5}{i}" for i in range(60))
    expression = "|".join([rf"(?:{'a' * 100})\.(?:.*\.)?(?:{layers})"] * 3)
    assert ADAPTER_FORMS["target_modules"](expression)
    started = time.process_time()
    for _ in range(1_000):
        assert not re.fullmatch(expression, "a" * 100 + ".a" * 200)
    assert time.process_time() - started < 5


def test_a_matrix_without_elements_has_no_rank(tmp_path: Path) -> None:
    """Else a few bytes could claim a rank of a thousand million, and a loader make room for it."""
    data = edit_json(part("modules.json"), lambda v: v["trainable"][0].update(shape=[2, 0]))
    path, signer = signed(tmp_path, {"modules.json": data})
    assert_refused(path, signer, "modules", "has the shape [2, 0], not one of rank 2")
