"""Finished calls on disk, between the process that serves and the one that records.

A spool is a folder with segments; a segment is a row of entries, each with its length and a
checksum, so that one which was cut off by a crash is recognized. Entries hold bodies only:
headers, and with them keys and cookies, never get this far.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from secrets import token_hex

_HEAD = struct.Struct(">4sQI")
_MAGIC = b"kcl1"
SEGMENT_BYTES = 32 * 1024 * 1024
_SUFFIX = ".calls"
# Names the calls that are being stored; see `suspects`.
UNDER_WAY = "under-way"


@dataclass(frozen=True)
class Call:
    """One successful round trip.

    Attributes:
        key: names the call; recording it twice makes one record.
        namespace: where its pair goes.
        time: milliseconds since 1970 (UTC).
        path: the API's path, without query.
        request_encoding: the request's Content-Encoding.
        response_encoding: the response's Content-Encoding.
        response_type: the response's Content-Type.
        request: the request's body as it was sent.
        response: the response's body as it was sent.
    """

    key: str
    namespace: str
    time: int
    path: str
    request_encoding: str
    response_encoding: str
    response_type: str
    request: bytes
    response: bytes

    def pack(self) -> bytes:
        """The entry's bytes."""
        fields = asdict(self)
        request, response = fields.pop("request"), fields.pop("response")
        fields["split"] = len(request)
        meta = json.dumps(fields).encode()
        body = b"".join((struct.pack(">I", len(meta)), meta, request, response))
        return _HEAD.pack(_MAGIC, len(body), zlib.crc32(body)) + body

    @classmethod
    def unpack(cls, body: bytes) -> Call:
        """The inverse of `pack`, without the head."""
        (size,) = struct.unpack_from(">I", body)
        fields = json.loads(body[4 : 4 + size])
        at = 4 + size + fields.pop("split")
        return cls(**fields, request=body[4 + size : at], response=body[at:])


def entry(data: bytes) -> Call:
    """The call of one whole entry, head included.

    Raises:
        ValueError: not an entry, or a damaged one.
    """
    if len(data) < _HEAD.size:
        raise ValueError("not an entry of a spool")
    magic, length, checksum = _HEAD.unpack_from(data)
    body = data[_HEAD.size :]
    if magic != _MAGIC or len(body) != length or zlib.crc32(body) != checksum:
        raise ValueError("not an entry of a spool")
    return Call.unpack(body)


class Spool:
    """The writing end: appends entries, and begins a new segment when one is full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._number = 0
        self._descriptor = -1
        self._size = 0

    def append(self, call: Call) -> None:
        """Write one entry; when this returns, it survives the end of this process.

        Raises:
            OSError: it could not be written; nothing of it is left.
        """
        if self._descriptor < 0 or self._size >= SEGMENT_BYTES:
            self._next_segment()
        data = call.pack()
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError:
            # Half an entry would hide those that follow it.
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(data)

    def _next_segment(self) -> None:
        self.close()
        self._number += 1
        path = self.folder / f"{self._number:08d}{_SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._descriptor = os.open(path, flags, 0o600)
        self._size = 0

    def close(self) -> None:
        """Close the segment."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class SpoolReader:
    """The reading end: gives entries as they are finished, and deletes what is done with.

    Attributes:
        damaged: entries that were written whole and cannot be read any more.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged = 0
        self._at: dict[Path, int] = {}

    def segments(self) -> list[Path]:
        """The segments, oldest first."""
        return sorted(self.folder.glob(f"*{_SUFFIX}"))

    def read(self, most: int, most_bytes: int) -> list[Call]:
        """The next entries that are complete; empty when there is none now."""
        found: list[Call] = []
        held = 0
        segments = self.segments()
        for path in segments:
            for call, end in self._entries(path, grows=path == segments[-1]):
                self._at[path] = end
                found.append(call)
                held += len(call.request) + len(call.response)
                if len(found) >= most or held >= most_bytes:
                    return found
        return found

    def _entries(self, path: Path, *, grows: bool) -> Iterator[tuple[Call, int]]:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            at = self._at.get(path, 0)
            while at + _HEAD.size <= size:
                stream.seek(at)
                magic, length, checksum = _HEAD.unpack(stream.read(_HEAD.size))
                end = at + _HEAD.size + length
                if magic == _MAGIC and end > size and grows:
                    return  # Still being written, or cut off when the writer died.
                if magic != _MAGIC or end > size:
                    # Where the next one begins cannot be told: a body may hold what looks like one.
                    self.damaged += 1
                    self._at[path] = size
                    return
                body = stream.read(length)
                at = end
                if zlib.crc32(body) == checksum:
                    yield Call.unpack(body), end
                else:
                    self.damaged += 1
                    self._at[path] = end

    def forget(self, *, ended: bool) -> None:
        """Delete segments whose entries were all read and are stored by now.

        Args:
            ended: the writer is gone, so that the last segment will not grow any more.
        """
        segments = self.segments()
        for path in segments if ended else segments[:-1]:
            rest = path.stat().st_size - self._at.get(path, 0)
            # A cut-off entry at the end is of a call that no client saw recorded: keep only
            # what could still be read.
            if rest == 0 or ended:
                path.unlink()
                self._at.pop(path, None)


def new_spool(home: Path) -> Path:
    """A folder (0700) for one proxy's spool."""
    folder = home / "spool" / token_hex(8)
    folder.mkdir(mode=0o700, parents=True)
    os.chmod(folder.parent, 0o700)
    return folder


def take(folder: Path) -> int | None:
    """Lock a spool for reading; None when another process reads it. Close to let go."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def remove(folder: Path) -> None:
    """Delete an empty spool."""
    for name in ("lock", UNDER_WAY):
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
