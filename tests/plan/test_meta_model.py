"""A stranger's `config.json` is refused in words, whatever it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.families.resolve import resolve_base
from kolm_cli.plan.meta_model import empty_model


@pytest.mark.parametrize(
    ("section", "change", "words"),
    [
        ("", {"vision_start_token_id": None}, "no model can be made of its config.json"),
        ("", {"vision_config": [1]}, "vision_config is not an object"),
        ("", {"text_config": "x"}, "text_config is not an object"),
        ("text_config", {"num_hidden_layers": 10**9}, "num_hidden_layers of more than 4096"),
        ("vision_config", {"depth": 2**52}, "depth of more than 4096"),
        ("text_config", {"hidden_size": -1}, "no model can be made of its config.json"),
    ],
)
def test_values_that_make_no_model(
    tiny_base: Callable[[str], Path],
    tmp_path: Path,
    section: str,
    change: dict[str, Any],
    words: str,
) -> None:
    base = tiny_base("qwen2_5_vl")
    config = json.loads((base / "config.json").read_bytes())
    (config[section] if section else config).update(change)
    for path in base.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=words):
        _model(tmp_path)


def _model(folder: Path) -> Any:
    found = resolve_base(str(folder))
    return empty_model(found.config, found.family, bf16=True)
