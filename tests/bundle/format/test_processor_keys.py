"""Every key of a processor's configuration is on a list, with the values that it may have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.bundle.format import processor_keys
from kolm_cli.bundle.format.configurations import is_configuration, problems_of
from kolm_cli.families.base import Family
from kolm_cli.families.catalog import families
from kolm_cli.families.support import Unsupported
from kolm_cli.families.tiny.catalog import makers
from kolm_cli.pipeline.bundle_files import processor_files
from tests.bundle.checks.helpers import signed
from tests.bundle.forge import assert_refused

PROCESSOR = "processor/processor_config.json"
TOKENIZER = "processor/tokenizer_config.json"
FORMAT_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "bundle-format.md"

HOSTILE: dict[str, tuple[str, dict[str, Any], str]] = {
    "another key": (PROCESSOR, {"evil": 1}, "'evil' is not a key that is on the list"),
    "a hub's option": (TOKENIZER, {"subfolder": "x"}, "'subfolder' is not a key"),
    "a file elsewhere": (TOKENIZER, {"tokenizer_file": "/etc/passwd"}, "'tokenizer_file' is not"),
    "a vocabulary elsewhere": (TOKENIZER, {"vocab_file": "/dev/zero"}, "'vocab_file' is not"),
    "a template beside the template": (TOKENIZER, {"chat_template": "{{ x }}"}, "'chat_template'"),
    "a template in the processor": (PROCESSOR, {"chat_template": "{{ x }}"}, "'chat_template'"),
    "the template of old versions": ("processor/chat_template.json", {}, "not a configuration"),
    "another file": ("processor/config.json", {"model_type": "x"}, "not a configuration that"),
    "a class by path": (PROCESSOR, {"processor_class": "evil.py--X"}, "which it may not be"),
    "a key of a part": (PROCESSOR, {"image_processor": {"hub": "x"}}, "image_processor: 'hub'"),
    "a part that is no object": (PROCESSOR, {"image_processor": "x"}, "is not a part"),
    "an object in a part": (PROCESSOR, {"image_processor": {"evil": {}}}, "'evil' is not a part"),
    "text for a flag": (PROCESSOR, {"image_processor": {"do_resize": "x"}}, "do_resize is 'x'"),
    "a huge number": (PROCESSOR, {"image_processor": {"max_patches": 1e300}}, "max_patches"),
    "a long token": (TOKENIZER, {"eos_token": "x" * 5000}, "eos_token"),
    "a huge picture": (
        PROCESSOR,
        {"image_processor": {"size": {"height": 99999, "width": 99999}}},
        "pixels of a picture",
    ),
    "a huge square": (PROCESSOR, {"image_processor": {"size": 99999}}, "pixels of a picture"),
    "a huge crop": (
        PROCESSOR,
        {"image_processor": {"image_grid_pinpoints": [[336, 99999]]}},
        "pixels of a picture",
    ),
    "many crops": (
        PROCESSOR,
        {"image_processor": {"size": {"height": 4096, "width": 4096}, "max_patches": 999}},
        "pixels of a picture",
    ),
    "a huge budget": (
        PROCESSOR,
        {"image_processor": {"size": {"longest_edge": 2**30}, "temporal_patch_size": 2}},
        "pixels of a picture",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_processor_beyond_the_lists(name: str, tmp_path: Path) -> None:
    file, value, words = HOSTILE[name]
    path, signer = signed(tmp_path, {file: json.dumps(value).encode()})
    assert_refused(path, signer, "configs", words)


SUPPORTED = [f for f in families() if not isinstance(f.support, Unsupported)]


@pytest.mark.parametrize("family", SUPPORTED, ids=lambda family: family.name)
def test_what_the_families_write_is_listed(family: Family, tmp_path: Path) -> None:
    family.register()
    for make in makers(family).values():
        make(32, 1).processor.save_pretrained(tmp_path)
        for path, source in processor_files(tmp_path).items():
            if not is_configuration(path):
                continue
            data = source if isinstance(source, bytes) else source.read_bytes()
            assert problems_of(path, data) == []
            # Nothing that says what it does is left out.
            whole = json.loads((tmp_path / Path(path).name).read_bytes())
            lacking = whole.keys() - json.loads(data).keys()
            assert lacking <= {"model_max_length", "is_local", "name_or_path"}


def test_published_settings_are_allowed() -> None:
    """Keys and sizes of checkpoints that the families were written for."""
    pictures = {
        "size": {"shortest_edge": 3136, "longest_edge": 12845056},
        "temporal_patch_size": 2,
        "min_pixels": 3136,
        "max_pixels": 12845056,
    }
    value = {"processor_class": "P", "image_processor": pictures, "image_seq_length": 169}
    assert list(processor_keys.problems(PROCESSOR, value)) == []
    pinpoints = [[384 * i, 384 * j] for i in range(1, 7) for j in range(1, 7)]
    for pictures in (
        {"size": {"height": 448, "width": 448}, "crop_to_patches": True, "max_patches": 40},
        {"size": {"longest_edge": 1456}, "max_image_size": {"longest_edge": 364}},
        {"image_grid_pinpoints": pinpoints, "size": {"height": 384, "width": 384}},
        {"size": {"height": 896, "width": 896}, "pan_and_scan_max_num_crops": 4},
        {"dynamic_hd": 36, "size": {"height": 448, "width": 448}},
        {"size": 336, "crop_size": {"height": 336, "width": 336}, "resample": 3},
    ):
        assert list(processor_keys.problems(PROCESSOR, {"image_processor": pictures})) == []
    token = {"content": "</s>", "lstrip": False, "normalized": False, "special": True}
    tokens = {
        "added_tokens_decoder": {"2": token},
        "eos_token": token,
        "extra_special_tokens": {"image_token": "<image>"},
        "additional_special_tokens": ["<a>", token],
        "model_max_length": 131072,
        "model_input_names": ["input_ids"],
        "pad_token": None,
    }
    assert list(processor_keys.problems(TOKENIZER, tokens)) == []


def test_the_format_lists_the_keys() -> None:
    text = FORMAT_PAGE.read_text()
    for block in (
        processor_keys.PROCESSOR_KEYS,
        processor_keys.PICTURE_KEYS,
        processor_keys.TOKENIZER_KEYS,
    ):
        assert f"```text\n{block}```" in text
