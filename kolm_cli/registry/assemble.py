"""Puts a `.kolm` file together again from its blobs, byte for byte, and verifies it."""

from __future__ import annotations

import contextlib
import os
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kolm_cli.bundle.container.unpack import require
from kolm_cli.bundle.container.zip_records import ZipEntry, directory, local_header
from kolm_cli.bundle.contents import BundleContents, read_contents
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.bundle.verify import Report, judge
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.files import sync_folder
from kolm_cli.core.progress import Progress, Silent
from kolm_cli.registry.blobs import Blobs
from kolm_cli.registry.oci_image import OciImage
from kolm_cli.registry.workspace import storage_errors


def assemble(
    image: OciImage, blobs: Blobs, out: BinaryIO, progress: Progress | None = None
) -> None:
    """Write the archive; every blob is checked on the way.

    Raises:
        VerificationError: a blob is missing or damaged.
    """
    progress = progress or Silent()
    entries: list[ZipEntry] = []
    offset = done = 0
    for file in image.files:
        # The CRC comes before its content: left open, and filled in later.
        crc32 = 0
        out.write(local_header(ZipEntry(file.path, file.size, 0, offset)))
        for piece in blobs.chunks(file.hex, file.size):
            crc32 = zlib.crc32(piece, crc32)
            out.write(piece)
        entry = ZipEntry(file.path, file.size, crc32, offset)
        out.seek(offset)
        out.write(local_header(entry))
        offset = entry.data_offset + entry.size
        out.seek(offset)
        entries.append(entry)
        done += file.size
        progress.advance(done)
    out.write(directory(entries))


@contextlib.contextmanager
def staged(target: Path) -> Iterator[BinaryIO]:
    """A file beside `target`, renamed there when the block ends well; else nothing is left.

    Raises:
        InputError: the target is a folder.
        LackingError: there is no room, or no permission.
    """
    if target.is_dir():
        raise InputError(Problem("is a folder", str(target), "name a file with --out"))
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(temporary, flags, 0o644)
        try:
            with os.fdopen(descriptor, "w+b") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise
        sync_folder(target.parent)


def verified(
    stream: BinaryIO, where: Path, trust: TrustPolicy, cid: str, *, allow_untrusted: bool
) -> tuple[Report, BundleContents]:
    """Verify what was written, from the descriptor that it was written through.

    Raises:
        VerificationError: it is not intact, not of this CID, or its signer is not trusted.
    """
    stream.flush()
    stream.seek(0)
    contents = read_contents(stream)
    report = judge(contents, trust, cid=cid)
    require(report, where, allow_untrusted=allow_untrusted)
    return report, contents
