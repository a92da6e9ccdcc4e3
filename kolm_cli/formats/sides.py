"""Folders that hold several sides of a data set, which must not be read as one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from kolm_cli.core.errors import InputError, Problem

_KNOWN = {
    "train": "train", "training": "train", "test": "test", "testing": "test", "val": "validation",
    "valid": "validation", "validation": "validation", "dev": "validation", "eval": "evaluation",
    "evaluation": "evaluation",
}  # fmt: skip


def refuse_several(path: Path, data_suffixes: tuple[str, ...]) -> None:
    """Refuse a folder whose rows would be those of `train` and of `test` (or `validation`) in one.

    Args:
        path: a folder.
        data_suffixes: how the names of files with rows end; `train-00000-of-00002.parquet` tells
            its side by its first word.

    Raises:
        InputError: names what lies beside each other, and what to write instead.
    """
    for folder, folders, files in os.walk(path):
        data = [name for name in files if name.lower().endswith(data_suffixes)]
        sides: dict[str, str] = {}
        for name in sorted([*(n for n in folders if _has_files(Path(folder, n))), *data]):
            if side := _side_of(name, is_file=name in data):
                sides.setdefault(side, name)
        if len(sides) > 1:
            first, second = list(sides.values())[:2]
            here = Path(folder)
            raise InputError(
                Problem(
                    f"holds {first} and {second}, whose rows would be read as one data set",
                    where=str(here),
                    fix=f"name one of them: {here / first}, {here / second}"
                    if not {first, second} & set(data)
                    else "name a file, or give each side a folder of its own",
                )
            )


def _side_of(name: str, *, is_file: bool) -> str | None:
    word = re.split(r"[-_.]", name.lower(), maxsplit=1)[0] if is_file else name.lower()
    return _KNOWN.get(word)


def _has_files(folder: Path) -> bool:
    return any(files for _, _, files in os.walk(folder))
