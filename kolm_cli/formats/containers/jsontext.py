"""JSON in lines (`.jsonl`), or one array of records (`.json`), read and written as a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from kolm_cli.core.errors import Problem
from kolm_cli.core.files import open_regular
from kolm_cli.formats.containers.json_values import MAX_RECORD, JSONWindow, TwiceError, parse
from kolm_cli.formats.fields import RawRow
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.targets import RowWriter, Target
from kolm_cli.formats.writing import Exported


def read(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """Every record of the file, or the problem in its place."""
    with open_regular(path) as stream:
        if path.suffix != ".json":
            yield from _lines(stream, images, name)
        elif _starts_array(stream):
            yield from _array(stream, images, name)
        else:
            yield from _single(stream, images, name)


def _starts_array(stream: BinaryIO) -> bool:
    head = stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    stream.seek(0)
    return head.startswith(b"[")


def _lines(stream: BinaryIO, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    number = 0
    while line := stream.readline(MAX_RECORD + 1):
        number += 1
        where = f"{name}:{number}"
        if len(line) > MAX_RECORD:
            yield Problem(f"a line of more than {MAX_RECORD} bytes; stopped here", where=where)
            return
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        try:
            yield RawRow(where, parse(line), images)
        except ValueError as error:
            yield Problem(str(error), where=where)


def _single(stream: BinaryIO, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """A `.json` file that is no array: one record, or lines under the wrong suffix."""
    data = stream.read(MAX_RECORD + 1).removeprefix(b"\xef\xbb\xbf")
    try:
        record = parse(data)
    except ValueError:
        stream.seek(0)
        yield from _lines(stream, images, name)
    else:
        yield RawRow(f"{name}:1", record, images)


def _array(stream: BinaryIO, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """The elements of a top-level array, with no more than one of them in memory.

    An element is named by its line and its number, as all may be on one line.
    """
    text = JSONWindow(stream)
    index = 0
    try:
        text.expect("[")
        while text.peek() != "]":
            line = text.line
            try:
                record = text.value()
            except TwiceError as error:
                yield Problem(str(error), where=f"{name}:{line}[{index}]")
            else:
                yield RawRow(f"{name}:{line}[{index}]", record, images)
            index += 1
            if text.peek() == ",":
                text.expect(",")
                if text.peek() == "]":
                    raise ValueError("not JSON: a comma before the closing bracket")
            else:
                break
        text.expect("]")
        if text.peek():
            raise ValueError("not JSON: more text after the closing bracket")
    except UnicodeDecodeError as error:
        yield Problem(f"not UTF-8 near byte {stream.tell()}: {error.reason}", where=name)
    except ValueError as error:
        yield Problem(f"{error}; stopped here", where=f"{name}:{text.line}[{index}]")
    except RecursionError:
        yield Problem("not JSON: nested too deeply; stopped here", where=f"{name}:{text.line}")


def line_of(record: Any) -> str:
    """A record on one line."""
    return json.dumps(record, ensure_ascii=False)


def writer(target: Target) -> RowWriter:
    """Lines, or an array where that is how programs read the shape."""
    return JSONArray(target) if target.shape.array else JSONLines(target)


class JSONLines:
    """JSON lines, with the images in a folder beside the file or inside it."""

    def __init__(self, target: Target) -> None:
        self._images = target.image_forms()
        self._shape = target.shape
        self._stream = target.path.open("w", encoding="utf-8", newline="\n")

    def write(self, pair: Exported) -> None:
        """Write one line."""
        self._stream.write(line_of(self._shape.record(pair, self._images)) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


class JSONArray(JSONLines):
    """A JSON array, an element a line."""

    _before = "[\n"

    def write(self, pair: Exported) -> None:
        """Write one element."""
        text = line_of(self._shape.record(pair, self._images))
        self._stream.write(self._before + text)
        self._before = ",\n"

    def close(self) -> None:
        """End the array and close the file."""
        self._stream.write("\n]\n" if self._before == ",\n" else "[]\n")
        super().close()
