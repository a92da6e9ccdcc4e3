"""Images of an export: beside the data under their digests, or inside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from kolm_cli.core import digests
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.files import write_atomic
from kolm_cli.formats.writing import ImageForms

# Pillow's names of the formats whose usual suffix is not the name in lower case.
_SUFFIXES = {"JPEG": "jpg", "TIFF": "tif", "MPO": "jpg", "JPEG2000": "jp2"}
_REMEMBERED = 200_000


class StoredImages:
    """Reads images from where `path_of` says that they are stored, and says what they are."""

    def __init__(self, path_of: Callable[[str], Path]) -> None:
        self._path_of = path_of
        self._formats: dict[str, str] = {}

    def read(self, sha256: str) -> bytes:
        """The bytes, compared with their digest.

        Raises:
            InputError: missing or changed.
        """
        try:
            data = self._path_of(sha256).read_bytes()
        except FileNotFoundError:
            data = b""
        if digests.sha256_bytes(data) != sha256:
            raise InputError(
                Problem("is missing from the store or changed", where=f"image {sha256}"),
                hint="kolm capture check",
            )
        return data

    def _format(self, sha256: str) -> str:
        known = self._formats.get(sha256)
        if known is None:
            with Image.open(self._path_of(sha256)) as image:
                known = image.format or "PNG"
            if len(self._formats) < _REMEMBERED:
                self._formats[sha256] = known
        return known

    def suffix(self, sha256: str) -> str:
        """The usual suffix of the image's format, without a dot."""
        name = self._format(sha256)
        return _SUFFIXES.get(name, name.lower())

    def media_type(self, sha256: str) -> str:
        """The image's media type."""
        name = self._format(sha256)
        return Image.MIME.get("JPEG" if name == "MPO" else name, f"image/{name.lower()}")

    def embedded(self) -> ImageForms:
        """References are data URIs."""

        def uri(sha256: str) -> str:
            return ImageForms(str, self.read, self.media_type).data_uri(sha256)

        return ImageForms(uri, self.read, self.media_type)

    def beside(self, folder: Path, prefix: str) -> ImageForms:
        """References are paths: `prefix` and the name of a copy that is written to `folder`."""

        def path(sha256: str) -> str:
            name = f"{sha256}.{self.suffix(sha256)}"
            if not (folder / name).exists():
                folder.mkdir(parents=True, exist_ok=True)
                write_atomic(folder / name, self.read(sha256), durable=False)
            return f"{prefix}{name}"

        return ImageForms(path, self.read, self.media_type)
