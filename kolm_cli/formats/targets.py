"""Where a container writes pairs, and how one that is open takes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kolm_cli.formats.fields import Shape
from kolm_cli.formats.stored_images import StoredImages
from kolm_cli.formats.writing import Exported, ImageForms


@dataclass(frozen=True)
class Target:
    """What a container is told before the first pair is written.

    Attributes:
        path: the file or folder to write, which does not exist yet.
        images_name: the name of the folder beside `path` for images that rows refer to by path.
        images: the images.
        shape: how a record spells a pair.
        embed: put images into the rows as data URIs.
        one_image: every pair shows exactly one image.
        weights: some messages are not learned, and say so with `weight`.
        boxes: some texts hold coordinates.
    """

    path: Path
    images_name: str
    images: StoredImages
    shape: Shape
    embed: bool = False
    one_image: bool = False
    weights: bool = False
    boxes: bool = False

    def image_forms(self) -> ImageForms:
        """Images in the rows, or in the folder beside them."""
        if self.embed:
            return self.images.embedded()
        folder = self.path.parent / self.images_name
        return self.images.beside(folder, f"{self.images_name}/")


class RowWriter(Protocol):
    """Takes pairs one by one."""

    def write(self, pair: Exported) -> None:
        """Write one; raises `CannotError` when the format cannot hold it."""

    def close(self) -> None:
        """Write what is left, and close."""
