"""The base's weight files: which tensors they hold, and which parameter each of them becomes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.families.resolve import Base

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_BYTES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2}
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})


@dataclass(frozen=True)
class Stored:
    """A tensor of a checkpoint.

    Attributes:
        key: its name there.
        file: the weight file.
        dtype: as safetensors writes it.
        count: how many numbers it has.
        parameter: the parameter that it becomes when the model is loaded; empty when none does.
        converted: whether loading changes more than its name.
    """

    key: str
    file: Path
    dtype: str
    count: int
    parameter: str
    converted: bool

    @property
    def is_float(self) -> bool:
        """Whether it holds plain numbers: anything else is quantized, or counts something."""
        return self.dtype in FLOATS

    def bytes_as(self, dtype_bytes: int) -> int:
        """What it takes in an export of a type with so many bytes a number."""
        return self.count * (dtype_bytes if self.is_float else _BYTES.get(self.dtype, 1))


def weight_files(folder: Path) -> list[Path]:
    """The files that transformers loads, and no others that lie beside them.

    Raises:
        InputError: it would find none.
    """
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    index = folder / INDEX
    if index.is_file():
        named = json.loads(index.read_bytes())["weight_map"].values()
        return [folder / name for name in sorted(set(named))]
    raise InputError(
        Problem(
            f"it has neither {SINGLE} nor {INDEX}, and nothing else names its weights",
            where=str(folder),
            fix="save it with transformers' save_pretrained",
        )
    )


def read_checkpoint(base: Base) -> list[Stored]:
    """Every tensor of a base, in its files' order; no weights are read."""
    rename = _Renaming(base)
    return list(_tensors(weight_files(base.folder), rename))


def _tensors(files: list[Path], rename: _Renaming) -> Iterator[Stored]:
    for file in files:
        with safe_open(file, framework="pt") as opened:
            for key in opened.keys():  # noqa: SIM118  # no mapping
                part = opened.get_slice(key)
                parameter, converted = rename(key)
                count = 1
                for length in part.get_shape():
                    count *= length
                yield Stored(key, file, part.get_dtype(), count, parameter, converted)


class _Renaming:
    """Transformers' own renaming of a checkpoint's keys, for a model that is built without weights.

    Published checkpoints keep the names of the release that wrote them.
    """

    def __init__(self, base: Base) -> None:
        base.family.register()
        options = base.load_options()
        config = transformers.AutoConfig.from_pretrained(base.source, **options)
        options.pop("local_files_only")
        with torch.device("meta"):
            auto = getattr(transformers, base.family.auto_class)
            model = auto.from_config(config, **options)
        self._names: Mapping[str, torch.Tensor] = model.state_dict()
        self._prefix = model.base_model_prefix
        rules = get_model_conversion_mapping(model)
        self._renamings = [rule for rule in rules if isinstance(rule, WeightRenaming)]
        self._converters = [rule for rule in rules if isinstance(rule, WeightConverter)]

    def __call__(self, key: str) -> tuple[str, bool]:
        """The parameter's name, empty when there is none; and whether its values change too."""
        name, converter = self._renamed(key, self._renamings, self._converters)
        if name not in self._names and key in self._names:
            name, converter = self._renamed(key, [], [])
        return (name if name in self._names else ""), converter is not None

    def _renamed(
        self, key: str, renamings: list[WeightRenaming], converters: list[WeightConverter]
    ) -> tuple[str, str | None]:
        renamed: tuple[str, str | None] = rename_source_key(
            key, renamings, converters, self._prefix, self._names
        )
        return renamed
