"""What tests of GGUF files share."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import sentencepiece
from gguf import GGUFReader

from kolm_cli.families.resolve import resolve_base
from tests.support.cases import Case


def convertible(base: Path, folder: Path) -> Case:
    """A base with a tokenizer that the converter takes: it knows others by their words."""
    shutil.copytree(base, folder)
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([f"bar {n} is {n * 7 % 100} high" for n in range(200)]),
        model_writer=written,
        vocab_size=32,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(written.getvalue())
    return Case(folder, resolve_base(str(folder)))


def tensors(path: Path) -> dict[str, np.ndarray]:
    """Every tensor of a file."""
    return {tensor.name: np.array(tensor.data) for tensor in GGUFReader(path).tensors}
