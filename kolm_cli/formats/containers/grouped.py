"""Files that belong together by name: `0001.json` with `0001.png`, or `0001.0.png`, `0001.1.png`.

The name up to its first dot is the key, as WebDataset has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kolm_cli.core.errors import Problem
from kolm_cli.formats.containers.jsontext import parse
from kolm_cli.formats.fields import RawRow
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.kinds import kind_of

IMAGE_SUFFIXES = frozenset(
    {"png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "jp2", "ppm"}
)
_TEXTS = {"txt": "prompt", "prompt": "prompt", "response": "response", "cls": "response"}


def key_of(name: str) -> tuple[str, str]:
    """The key (with its folder) and the rest of a name, without the dot between them."""
    folder, slash, base = name.rpartition("/")
    key, _, rest = base.partition(".")
    return folder + slash + key, rest.lower()


def is_image(rest: str) -> bool:
    """Whether the rest of a name says that the file is an image."""
    return rest.rpartition(".")[2] in IMAGE_SUFFIXES


def natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key that puts `2` before `10`."""
    return [
        (0, int(piece), "") if piece.isdecimal() else (1, 0, piece)
        for piece in re.split(r"(\d+)", text)
        if piece
    ]


def assemble(
    where: str,
    images: ImageReader,
    record_text: bytes | None,
    shown: Iterable[object],
    texts: Mapping[str, bytes],
) -> RawRow | Problem:
    """One row of a JSON record, the images beside it, and text members where there are any."""
    shown = list(shown)
    record: dict[str, object] = {}
    if record_text is not None:
        try:
            value = parse(record_text.removeprefix(b"\xef\xbb\xbf"))
        except ValueError as error:
            return Problem(str(error), where=where)
        if not isinstance(value, dict):
            return Problem(f"expected an object, found {kind_of(value)}", where=where)
        record = value
    for rest, data in texts.items():
        key = _TEXTS[rest]
        if key in record:
            return Problem(f"{key}: stands in the JSON and in a .{rest} file", where=where)
        try:
            record[key] = data.decode("utf-8")
        except UnicodeDecodeError:
            return Problem(f"the .{rest} file is not UTF-8", where=where)
    if record.get("image") is None and record.get("images") is None:
        if len(shown) == 1:
            record["image"] = shown[0]
        else:
            record["images"] = shown
    return RawRow(where, record, images)


def is_text(rest: str) -> bool:
    """Whether the rest of a name says that the file is a prompt or a response."""
    return rest in _TEXTS
