"""Images as files named by the SHA-256 of their bytes: `images/ab/abcd...`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kolm_cli.core.files import sync_folder, write_atomic


class ImageFiles:
    """The folder of images. Files are 0600 in folders of 0700."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where the image with this digest is, or would be."""
        return self.folder / sha256[:2] / sha256

    def has(self, sha256: str, size: int) -> bool:
        """Whether a file of the right size is there; `kolm capture check` reads the bytes."""
        try:
            return self.path(sha256).stat().st_size == size
        except FileNotFoundError:
            return False

    def put(self, sha256: str, data: bytes, *, durable: bool = True) -> bool:
        """Write `data` through a temporary file and a rename; False if it was there already.

        Args:
            sha256: the digest of `data`, which the caller has computed.
            data: the encoded image.
            durable: whether it must survive a power cut when this returns.
        """
        if self.has(sha256, len(data)):
            return False
        path = self.path(sha256)
        if not path.parent.is_dir():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            if durable:
                sync_folder(self.folder)
        write_atomic(path, data, mode=0o600, durable=durable)
        return True

    def remove(self, sha256: str) -> None:
        """Delete the file, if it is there."""
        self.path(sha256).unlink(missing_ok=True)

    def __iter__(self) -> Iterator[Path]:
        """Every file in the folder, temporary leftovers included, in the order of names."""
        if self.folder.is_dir():
            for shelf in sorted(self.folder.iterdir()):
                if shelf.is_dir():
                    yield from sorted(shelf.iterdir())
