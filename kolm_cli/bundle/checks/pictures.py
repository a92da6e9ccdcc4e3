"""How the pictures were shown, as the stage `dataset` lists them, fits the rows and itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kolm_cli.bundle.checks.statements import UNSAID, Statements
from kolm_cli.bundle.format.json_lines import SHA256

_KEYS = {"pixels", "size", "shown", "tokens"}


def misfits(statements: Statements) -> Iterator[str]:
    """What of the lists of pictures contradicts the rows, or itself."""
    found: dict[str, set[str]] = {}
    for split in ("train", "eval"):
        name = f"stage.dataset.{split}.pictures"
        listed = statements.said(name)
        if listed is UNSAID:
            continue
        if not _well_formed(listed):
            yield f"{name} is not a list of pictures for each row"
            continue
        found[split] = {picture["pixels"] for row in listed for picture in row}
        if split == "train":
            counts = [len(row) for row in listed]
            # Their number is an equation.
            if len(counts) == statements.train_rows and counts != statements.images_of_rows:
                yield f"{name} lists other numbers of images than the rows have"
        elif _differ([row.images for row in statements.case.evaluation.pack], listed):
            yield f"{name} has one image with two sizes or other pixels"
    shared = found.get("train", set()) & found.get("eval", set())
    if shared:
        yield f"{len(shared)} pictures of the evaluation have the pixels of trained ones"


def _well_formed(listed: Any) -> bool:
    return isinstance(listed, list) and all(
        isinstance(row, list) and all(map(_is_picture, row)) for row in listed
    )


def _is_picture(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == _KEYS
        and isinstance(value["pixels"], str)
        and SHA256.fullmatch(value["pixels"]) is not None
        and _is_size(value["size"])
        and (value["shown"] is None or _is_size(value["shown"]))
        and type(value["tokens"]) is int
        and value["tokens"] >= 0
    )


def _is_size(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(side) is int and side > 0 for side in value)
    )


def _differ(images: Sequence[Sequence[str]], listed: Sequence[Sequence[Any]]) -> bool:
    """Whether the same file is said to be two different pictures."""
    known: dict[str, Any] = {}
    for files, pictures in zip(images, listed, strict=False):
        for sha256, picture in zip(files, pictures, strict=False):
            said = (picture["pixels"], picture["size"])
            if known.setdefault(sha256, said) != said:
                return True
    return False
