"""Configurations that could make a loader run code, or that two readers read differently."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tests.bundle.checks.helpers import signed
from tests.bundle.forge import assert_refused

CONFIGS: dict[str, tuple[str, bytes, str]] = {
    "auto_map": (
        "processor/processor_config.json",
        b'{"auto_map": {"AutoProcessor": "evil--processing.Evil"}}',
        "auto_map could make a loader run code",
    ),
    "auto_map deep inside": (
        "processor/tokenizer_config.json",
        b'{"a": [{"b": {"auto_map": {"AutoTokenizer": ["evil.Evil", null]}}}]}',
        "auto_map could make a loader run code",
    ),
    "auto_map under an escape": (
        "processor/processor_config.json",
        b'{"\\u0061uto_map": {"AutoProcessor": "x.Y"}}',
        "auto_map could make a loader run code",
    ),
    "auto_map in the adapter": (
        "adapter/adapter_config.json",
        b'{"auto_mapping":{"base_model_class":"x","parent_library":"evil"}}',
        "auto_mapping could make a loader run code",
    ),
    "trust_remote_code": (
        "processor/config.json",
        b'{"trust_remote_code": true}',
        "trust_remote_code could make a loader run code",
    ),
    "duplicate key": ("processor/config.json", b'{"a": 1, "a": 2}', "occurs twice"),
    "NaN": ("processor/config.json", b'{"a": NaN}', "NaN is not JSON"),
    "huge number": ("processor/config.json", b'{"a": 1e999}', "beyond a double"),
    "huge integer": ("processor/config.json", b'{"a": ' + b"9" * 5000 + b"}", "beyond 2^53"),
    "deep nesting": ("processor/config.json", b"[" * 900 + b"]" * 900, "nested deeper"),
    "not an object": ("processor/config.json", b"[]", "not an object"),
    "not JSON": ("processor/config.json", b"import os", "line 1"),
    "pickle": ("processor/config.json", pickle.dumps({}), "not UTF-8"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_configuration(name: str, tmp_path: Path) -> None:
    file, data, words = CONFIGS[name]
    path, signer = signed(tmp_path, {file: data})
    assert_refused(path, signer, "configs", words)
