"""How much a file from a stranger may cost to read, decided before it is decoded.

What a file may become in memory follows from its size on disk: a data set's images hardly
compress, and its texts to a tenth or so. A file that would become far more is a bomb.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TypeVar

MIB = 1024 * 1024
# Bytes that a compressed file may become: these, and so many for each of its own.
FREE_BYTES = 64 * MIB
RATIO = 100
# Rows, archive members, values of a column.
MAX_ENTRIES = 10_000_000
# Rows that cannot be read: each is remembered with what is wrong.
MAX_BAD_ROWS = 250_000
# Columns of a table, keys of a record.
MAX_COLUMNS = 2_000
# Values within one JSON or CSV record.
MAX_VALUES = 4_000_000
# CPU seconds that decoding may take: these, and one for so many bytes of the file.
FREE_SECONDS = 60.0
BYTES_A_SECOND = 100_000

Item = TypeVar("Item")


class BudgetError(ValueError):
    """Reading on would cost more than a file of this size may; the message says of what."""


@dataclass(frozen=True)
class Budget:
    """What one file may cost.

    Attributes:
        size: its bytes on disk.
    """

    size: int

    @classmethod
    def of(cls, stream: IO[bytes]) -> Budget:
        """The budget of an open file."""
        return cls(os.fstat(stream.fileno()).st_size)

    @property
    def bytes(self) -> int:
        """How many bytes it may become."""
        return FREE_BYTES + RATIO * self.size

    def check_bytes(self, count: int, what: str = "it") -> None:
        """Raise `BudgetError` when the file would become more bytes than it may."""
        if count > self.bytes:
            raise BudgetError(
                f"{what} would take {count} bytes, more than the {self.bytes} that a file of "
                f"{self.size} bytes may"
            )

    def timed(self, items: Iterator[Item]) -> Iterator[Item]:
        """The same items, while making them takes no longer than it may.

        Raises:
            BudgetError: it took too long. Only time in `items` counts, and only this thread's.
        """
        left = FREE_SECONDS + self.size / BYTES_A_SECOND
        while True:
            started = time.thread_time()
            try:
                item = next(items)
            except StopIteration:
                return
            left -= time.thread_time() - started
            if left < 0:
                raise BudgetError(f"takes too long to read for a file of {self.size} bytes")
            yield item


def check_columns(count: int) -> None:
    """Raise `BudgetError` when a table has more columns than any that people make."""
    if count > MAX_COLUMNS:
        raise BudgetError(f"{count} columns, more than the {MAX_COLUMNS} allowed")


class BoundedStream:
    """A stream that refuses to go beyond `cap`, an offset that its reader moves on.

    Args:
        stream: what is read.
        cap: the first offset that must not be read.
    """

    def __init__(self, stream: IO[bytes], cap: int) -> None:
        self._stream = stream
        self._at = 0
        self.cap = cap

    def read(self, size: int = -1) -> bytes:
        """As of any stream.

        Raises:
            BudgetError: more was asked for than the cap allows.
        """
        wanted = self.cap + 1 - self._at
        data = self._stream.read(wanted if size < 0 else min(size, wanted))
        self._at += len(data)
        if self._at > self.cap:
            raise BudgetError(f"more than {self.cap} bytes where that many may be")
        return data
