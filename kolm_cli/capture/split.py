"""`capture:NS@train` and `capture:NS@eval`: a split by image, the same on every machine."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from array import array
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.names import RULE, is_name

SCHEME = "capture:"
TRAIN_SHARE = Decimal("0.9")
Name = Literal["train", "eval"]
_PARTS: dict[str, Name] = {"train": "train", "eval": "eval"}
# Plain decimals only: every digit counts, so a number has one value everywhere.
_SHARE = re.compile(r"0?\.[0-9]{1,18}")
# Names the rule: another rule would need another prefix, and give other splits.
_SALT = b"kolm-split-1:"


@dataclass(frozen=True)
class Split:
    """A part of a namespace.

    A pair's images decide a number in [0, 1). `train` takes the pairs below `share`, `eval`
    those of the top `share`; so `@train:0.8` and `@eval:0.2` complement each other exactly.
    """

    part: Name
    share: Decimal

    @classmethod
    def parse(cls, text: str) -> Split:
        """Read `train`, `eval`, `train:0.8` or `eval:0.2`.

        Raises:
            InputError: anything else.
        """
        part, colon, share = text.partition(":")
        name = _PARTS.get(part)
        if name:
            if not colon:
                return cls(name, TRAIN_SHARE if part == "train" else 1 - TRAIN_SHARE)
            if _SHARE.fullmatch(share) and Decimal(share) > 0:
                return cls(name, Decimal(share))
        raise InputError(
            Problem(
                f"{text!r} is not a split",
                fix="write train, eval, or a share between 0 and 1 with it: train:0.8, eval:0.2",
            )
        )

    def __str__(self) -> str:
        """The form that `parse` reads, always with the share."""
        return f"{self.part}:{self.share.normalize():f}"

    def __contains__(self, bucket: int) -> bool:
        """Whether the split takes a pair whose images give this number of 64 bits."""
        if self.part == "train":
            return bucket < self.share * 2**64
        return bucket >= (1 - self.share) * 2**64


def check_namespace(name: str) -> str:
    """`name` itself when it can name a namespace.

    Raises:
        InputError: a spec could not name it, or it is a number, which would name a pair.
    """
    if is_name(name) and not name.isdecimal():
        return name
    raise InputError(
        Problem(
            f"{name!r} is not a namespace",
            fix=f"use {RULE}, and not digits alone",
        )
    )


def parse_reference(text: str) -> tuple[str, Split | None]:
    """Read `capture:NS`, `capture:NS@train` or `capture:NS@eval:0.2`, for specs and commands.

    Raises:
        InputError: the namespace or the split is not one.
    """
    name, at, split = text.removeprefix(SCHEME).partition("@")
    return check_namespace(name), Split.parse(split) if at else None


def bucket_of(digest: bytes) -> int:
    """64 bits that depend on nothing but `digest`."""
    return int.from_bytes(hashlib.sha256(_SALT + digest).digest()[:8], "big")


class Buckets:
    """The bucket of every pair of one namespace.

    Images in one pair must not be separated, nor those that other pairs tie to
    them: each such group of images has one bucket, that of its smallest digest. All pairs of
    the namespace count, whatever their review state, so that reviewing moves no pair.

    Memory: 17 bytes an image in the store.
    """

    def __init__(self, connection: sqlite3.Connection, namespace: int) -> None:
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM images").fetchone()
        self._parent = array("q", range(last + 1))
        pair_before = image_before = -1
        for pair, image in connection.execute(
            "SELECT pair, image FROM pair_images JOIN pairs ON pairs.id = pair "
            "WHERE namespace = ? ORDER BY pair",
            (namespace,),
        ):
            if pair == pair_before:
                self._parent[self._root(image)] = self._root(image_before)
            pair_before, image_before = pair, image
        self._bucket = array("Q", bytes(8 * (last + 1)))
        seen = bytearray(last + 1)
        # By digest: the first image of a group that is met is its smallest.
        for image, digest in connection.execute("SELECT id, sha256 FROM images ORDER BY sha256"):
            root = self._root(image)
            if not seen[root]:
                seen[root] = 1
                self._bucket[root] = bucket_of(digest)

    def _root(self, image: int) -> int:
        parent = self._parent
        while parent[image] != image:
            parent[image] = parent[parent[image]]
            image = parent[image]
        return image

    def of(self, first_image: int | None, prompt_hash: bytes | None) -> int:
        """The bucket of a pair: by its first image, or by its prompt when it has none."""
        if first_image is not None:
            return self._bucket[self._root(first_image)]
        return bucket_of(prompt_hash or b"")
