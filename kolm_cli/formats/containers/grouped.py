"""Files that belong together by name: `0001.json` with `0001.png`, or `0001.0.png`, `0001.1.png`.

The name up to its first dot is the key, as WebDataset has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kolm_cli.core.errors import Problem
from kolm_cli.formats.containers.json_values import parse
from kolm_cli.formats.containers.jsontext import line_of
from kolm_cli.formats.fields import RawRow
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.kinds import kind_of
from kolm_cli.formats.targets import Target
from kolm_cli.formats.writing import Exported

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
            return Problem(f"{key}: is in the JSON and in a .{rest} file", where=where)
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


class Numbered:
    """Members that belong together by name: `0000001.png`, `0000001.json`."""

    def __init__(self, target: Target) -> None:
        self._images = target.images
        self._shape = target.shape
        self._count = 0

    def write(self, pair: Exported) -> None:
        """Write the pair's members."""
        shown: list[str] = []

        def named(sha256: str) -> str:
            shown.append(sha256)
            return sha256

        forms = self._images.embedded()
        record = self._shape.record(pair, type(forms)(named, forms.read, forms.media_type))
        self._count += 1
        key = f"{self._count:07d}"
        names = [
            f"{key}.{f'{i}.' if len(shown) > 1 else ''}{self._images.suffix(sha256)}"
            for i, sha256 in enumerate(shown)
        ]
        for name, sha256 in zip(names, shown, strict=True):
            self.member(name, self._images.read(sha256))
        # The images beside a record are its images, in the order of their names.
        record.pop("image", None)
        if "images" in record and shown:
            del record["images"]
        self.member(f"{key}.json", line_of(record).encode())

    def member(self, name: str, data: bytes) -> None:
        """Write one member."""
        raise NotImplementedError

    def close(self) -> None:
        """Close what is open."""
