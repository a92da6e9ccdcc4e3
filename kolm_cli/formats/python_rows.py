"""Rows handed over from Python: PIL images, paths, base64 or data URIs."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image as PILImage

from kolm_cli.core import digests
from kolm_cli.core.errors import Problem, raise_if_any
from kolm_cli.records.conversation import Conversation, Image, Message, Part, Text
from kolm_cli.records.images import BytesImage, ImageSource
from kolm_cli.records.pictures import encode_png
from kolm_cli.records.row import Row

_KEYS = {"image", "images", "prompt", "response", "messages", "answers", "id"}
_ROLES = ("system", "user", "assistant")


class _RowError(ValueError):
    """What is wrong with a row."""


def rows_from_python(rows: Iterable[Mapping[str, Any] | Row]) -> list[Row]:
    """Turn `{"image": …, "prompt": …, "response": …}` mappings into rows.

    `images` takes several images; `messages` (role and content, content a string or a list of
    text and image blocks) takes several turns.

    Raises:
        InputError: every row that cannot be read, by its index.
    """
    result: list[Row] = []
    problems: list[Problem] = []
    for index, row in enumerate(rows):
        if isinstance(row, Row):
            result.append(row)
            continue
        name = f"rows[{index}]"
        try:
            result.append(_row(str(row.get("id", name)), row))
        except _RowError as error:
            problems.append(Problem(str(error), where=name))
    raise_if_any(problems)
    return result


def _row(name: str, row: Mapping[str, Any]) -> Row:
    unknown = sorted(set(row) - _KEYS)
    if unknown:
        raise _RowError(f"unknown keys {unknown}, known are {sorted(_KEYS)}")
    given = [row["image"]] if "image" in row else []
    given += list(row.get("images") or [])
    sources = [_source(image) for image in given]
    held = {digests.sha256_bytes(s.data): s for s in sources}
    order = tuple(digests.sha256_bytes(s.data) for s in sources)
    if "messages" in row:
        if "prompt" in row or "response" in row:
            raise _RowError("`messages` and `prompt`/`response` exclude each other")
        conversation = _conversation(row["messages"], list(order), held)
    else:
        for key in ("prompt", "response"):
            if not isinstance(row.get(key), str):
                raise _RowError(f"`{key}` must be a string")
        conversation = Conversation.of(row["prompt"], row["response"], order)
    images: dict[str, ImageSource] = dict(held)
    return Row(name, conversation, images, tuple(row.get("answers") or ()))


def _conversation(
    messages: Sequence[Mapping[str, Any]], given: list[str], held: dict[str, BytesImage]
) -> Conversation:
    turns: list[Message] = []
    for message in messages:
        role, content = message.get("role"), message.get("content")
        if role not in _ROLES:
            raise _RowError(f"the role {role!r} is not one of {', '.join(_ROLES)}")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(blocks, Sequence):
            raise _RowError("`content` must be a string or a list of blocks")
        parts: list[Part] = []
        for block in blocks:
            if block.get("type") == "text":
                parts.append(Text(block["text"]))
            elif block.get("type") == "image" and "image" in block:
                source = _source(block["image"])
                sha256 = digests.sha256_bytes(source.data)
                held[sha256] = source
                parts.append(Image(sha256))
            elif block.get("type") == "image" and given:
                parts.append(Image(given.pop(0)))
            else:
                raise _RowError(f"the block {block!r:.80} is neither text nor one of the images")
        turns.append(Message(role, tuple(parts)))
    if given:
        # Images without a marker in the messages stand before the first question.
        first = next((i for i, turn in enumerate(turns) if turn.role == "user"), None)
        if first is None:
            raise _RowError("there is no user message to hold the images")
        shown = tuple(Image(sha256) for sha256 in given)
        turns[first] = Message("user", (*shown, *turns[first].parts))
    if not turns or turns[-1].role != "assistant":
        raise _RowError("the last message must be the assistant's")
    return Conversation(tuple(turns))


def _source(image: Any) -> BytesImage:
    """The encoded bytes behind a PIL image, a path, base64 text or a data URI."""
    if isinstance(image, PILImage.Image):
        return BytesImage(encode_png(image))
    if isinstance(image, bytes):
        return BytesImage(image)
    if isinstance(image, os.PathLike):
        return BytesImage(_read(Path(image)))
    if not isinstance(image, str):
        raise _RowError(f"an image cannot be a {type(image).__name__}")
    if image.startswith("data:"):
        head, _, body = image.partition(",")
        if not head.endswith(";base64"):
            raise _RowError("a data URI must be base64")
        return BytesImage(_base64(body))
    if len(image) < 4096 and Path(image).is_file():
        return BytesImage(_read(Path(image)))
    return BytesImage(_base64(image))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _RowError(f"the image {path} cannot be read: {error.strerror}") from error


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _RowError(f"{text[:60]!r} is neither an existing file nor base64") from error
