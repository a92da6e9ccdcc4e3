"""Where exported records are written: one class a kind of file or folder."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path
from typing import Any, Protocol

from kolm_cli.formats.fields import Shape
from kolm_cli.formats.shapes.writing import CannotError, Exported
from kolm_cli.formats.writers.images import StoredImages

_CSV_COLUMNS = (
    "image", "images", "system", "prompt", "response", "answers", "model", "tags", "time", "review",
)  # fmt: skip


class Sink(Protocol):
    """Takes pairs one by one."""

    def write(self, pair: Exported) -> None:
        """Write one; raises `CannotError` when the format cannot hold it."""

    def close(self) -> None:
        """Write what is left, and close."""


def _line(record: Any) -> str:
    return json.dumps(record, ensure_ascii=False)


class Lines:
    """JSON lines, with the images in a folder beside the file or inside it."""

    def __init__(
        self, path: Path, images_name: str, images: StoredImages, shape: Shape, embed: bool
    ) -> None:
        beside = images.beside(path.parent / images_name, f"{images_name}/")
        self._images = images.embedded() if embed else beside
        self._shape = shape
        self._stream = path.open("w", encoding="utf-8", newline="\n")

    def write(self, pair: Exported) -> None:
        """Write one line."""
        self._stream.write(_line(self._shape.render(pair, self._images)) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


class Array(Lines):
    """A JSON array, an element a line."""

    _before = "[\n"

    def write(self, pair: Exported) -> None:
        """Write one element."""
        text = _line(self._shape.render(pair, self._images))
        self._stream.write(self._before + text)
        self._before = ",\n"

    def close(self) -> None:
        """End the array and close the file."""
        self._stream.write("\n]\n" if self._before == ",\n" else "[]\n")
        super().close()


class Table(Lines):
    """CSV of kolm's rows; lists are JSON."""

    def __init__(
        self, path: Path, images_name: str, images: StoredImages, shape: Shape, embed: bool
    ) -> None:
        super().__init__(path, images_name, images, shape, embed)
        self._writer = csv.DictWriter(self._stream, _CSV_COLUMNS, quoting=csv.QUOTE_ALL)
        self._writer.writeheader()

    def write(self, pair: Exported) -> None:
        """Write one row."""
        record = self._shape.render(pair, self._images)
        if "\0" in _line(record):
            raise CannotError("CSV has no place for a NUL character")
        self._writer.writerow(
            {k: _line(v) if isinstance(v, list) else v for k, v in record.items()}
        )


class ImageFolder(Lines):
    """A folder of images with `metadata.jsonl`, as `datasets` reads it."""

    def __init__(self, folder: Path, images: StoredImages, shape: Shape, single: bool) -> None:
        folder.mkdir()
        super().__init__(folder / "metadata.jsonl", "images", images, shape, embed=False)
        self._single = single

    def write(self, pair: Exported) -> None:
        """Write one line, its images under the names that `datasets` looks for."""
        record = self._shape.render(pair, self._images)
        shown = record.pop("images", None)
        if shown is None:
            shown = [record.pop("image")]
        # Every line must have the same one of the two columns.
        names = {"file_name": shown[0]} if self._single else {"images_file_names": shown}
        self._stream.write(_line({**names, **record}) + "\n")


class Numbered:
    """Members that belong together by name: `0000001.png`, `0000001.json`."""

    def __init__(self, images: StoredImages, shape: Shape) -> None:
        self._images = images
        self._shape = shape
        self._count = 0

    def write(self, pair: Exported) -> None:
        """Write the pair's members."""
        shown: list[str] = []

        def named(sha256: str) -> str:
            shown.append(sha256)
            return sha256

        forms = self._images.embedded()
        record = self._shape.render(pair, type(forms)(named, forms.read, forms.media_type))
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
        self.member(f"{key}.json", _line(record).encode())

    def member(self, name: str, data: bytes) -> None:
        """Write one member."""
        raise NotImplementedError

    def close(self) -> None:
        """Close what is open."""


class Sidecar(Numbered):
    """A folder of `name.png` beside `name.json`."""

    def __init__(self, folder: Path, images: StoredImages, shape: Shape) -> None:
        super().__init__(images, shape)
        folder.mkdir()
        self._folder = folder

    def member(self, name: str, data: bytes) -> None:
        """Write one file."""
        (self._folder / name).write_bytes(data)


class Tar(Numbered):
    """A WebDataset archive: plain files, the same bytes for the same pairs."""

    def __init__(self, path: Path, images: StoredImages, shape: Shape) -> None:
        super().__init__(images, shape)
        self._archive = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115

    def member(self, name: str, data: bytes) -> None:
        """Add one member, without the time and the user's name."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        self._archive.addfile(info, io.BytesIO(data))

    def close(self) -> None:
        """End the archive."""
        self._archive.close()
