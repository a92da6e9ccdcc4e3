"""Faultless archives, signed by a trusted key, to change in one place at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kolm_cli.bundle.build import build_bundle
from kolm_cli.bundle.signing import keys
from kolm_cli.core import canonical_json
from tests.bundle import factory
from tests.bundle.forge import edit_json

Value = dict[str, Any]


def signed(tmp_path: Path, changes: dict[str, bytes | None]) -> tuple[Path, keys.Signer]:
    """A bundle with these files, signed by a key that the verifier trusts."""
    signer = keys.generate()
    build_bundle(factory.with_files(changes), signer, tmp_path / "a.kolm")
    return tmp_path / "a.kolm", signer


def part(path: str) -> bytes:
    content = factory.make_files()[path]
    assert isinstance(content, bytes)
    return content


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new, 1)

    return change


def edited(edit: Callable[[Value], Any]) -> Callable[[bytes], bytes]:
    return lambda data: edit_json(data, edit)


def line(number: int, edit: Callable[[Value], Any]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        lines = data.split(b"\n")
        lines[number] = edit_json(lines[number], edit)
        return b"\n".join(lines)

    return change


def without(number: int) -> Callable[[bytes], bytes]:
    return lambda data: b"\n".join(x for i, x in enumerate(data.split(b"\n")) if i != number)


def claiming(tmp_path: Path, edit: Callable[[Value], Any]) -> tuple[Path, keys.Signer]:
    """A bundle whose receipt says something else, signed by a trusted key."""
    content = factory.make_content()
    receipt = json.loads(canonical_json.dumps(dict(content.receipt)))
    edit(receipt)
    signer = keys.generate()
    build_bundle(replace(content, receipt=receipt), signer, tmp_path / "a.kolm")
    return tmp_path / "a.kolm", signer
