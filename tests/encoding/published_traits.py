"""Tiny bases with a trait that only published tokenizers have."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from kolm_cli.families.resolve import resolve_base
from tests.support.cases import Case


def merging_newlines(case: Case) -> Case:
    """The case with a tokenizer that makes two newlines one token, as Qwen's does."""
    folder = Path(mkdtemp(prefix="kolm-traits-"))
    for path in case.folder.iterdir():
        (folder / path.name).symlink_to(path)
    tokenizer = json.loads((case.folder / "tokenizer.json").read_bytes())
    split = {"type": "Split", "pattern": {"Regex": PRETOKENIZE_REGEX}, "behavior": "Isolated"}
    to_bytes = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
    tokenizer["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{**split, "invert": False}, {**to_bytes, "use_regex": False}],
    }
    vocabulary = tokenizer["model"]["vocab"]
    # Byte 255 is in no UTF-8 text: its id is free for two newlines, which byte level writes so.
    vocabulary["\u010a\u010a"] = vocabulary.pop("\u00ff")
    tokenizer["model"]["merges"] = [["\u010a", "\u010a"]]
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return replace(case, folder=folder, base=resolve_base(str(folder)))
