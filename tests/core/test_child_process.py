"""Work in a child: its items, its errors, its limit, and its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from kolm_cli.core.child_process import items_of_child

ROOM = 256 << 20


def numbers() -> Iterator[int]:
    yield from range(1_000)


def failing() -> Iterator[int]:
    yield 1
    raise ValueError("no more")


def greedy() -> Iterator[int]:
    yield len(bytearray(2 * ROOM))


def killed() -> Iterator[int]:
    yield os.getpid()
    os.kill(os.getpid(), signal.SIGKILL)


def test_items_and_errors_come_through() -> None:
    assert list(items_of_child(numbers, ROOM)) == list(range(1_000))
    items = items_of_child(failing, ROOM)
    assert next(items) == 1
    with pytest.raises(ValueError, match="no more"):
        next(items)


def test_it_takes_no_more_memory_than_it_may() -> None:
    with pytest.raises(MemoryError, match="more than 256 MiB"):
        list(items_of_child(greedy, ROOM))
    assert list(items_of_child(greedy, 4 * ROOM)) == [2 * ROOM]


def test_a_sudden_end_is_an_error() -> None:
    with pytest.raises(MemoryError, match="came to an end"):
        list(items_of_child(killed, ROOM))


def test_nothing_is_left_when_nobody_reads_on() -> None:
    items = items_of_child(killed, ROOM)
    process = next(items)
    items.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
