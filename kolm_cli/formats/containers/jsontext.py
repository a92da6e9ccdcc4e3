"""JSON in lines (`.jsonl`), or one array of records (`.json`), read as a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from kolm_cli.core.errors import Problem
from kolm_cli.formats.fields import RawRow
from kolm_cli.formats.image_references import ImageReader

# A record with a dozen large images in base64 stays far below.
MAX_RECORD = 512 * 1024 * 1024
_CHUNK = 1 << 20


class TwiceError(ValueError):
    """A key that stands twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise TwiceError(f"the key {key[:80]!r} stands twice in one object")
        result[key] = value
    return result


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def parse(text: bytes) -> Any:
    """Read one JSON value; a key that stands twice is refused.

    Raises:
        ValueError: says what is wrong, and at which column.
    """
    try:
        return _DECODER.decode(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column" if error.lineno > 1 else "column"
        raise ValueError(f"not JSON: {error.msg} at {place} {error.colno}") from error
    except RecursionError as error:
        raise ValueError("not JSON: nested too deeply") from error


def read(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """Every record of the file, or the problem in its place."""
    with path.open("rb") as stream:
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

    An element is named by its line and its number, as all may stand on one line.
    """
    text = _Window(stream)
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


class _Window:
    """A sliding view of a long JSON text."""

    def __init__(self, stream: BinaryIO) -> None:
        import codecs

        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._at = 0
        self._ended = False
        self.line = 1

    def _more(self, count: int) -> None:
        data = self._stream.read(count)
        self._ended = not data
        rest = self._text[self._at :]
        if len(rest) > MAX_RECORD:
            raise ValueError(f"an element of more than {MAX_RECORD} characters")
        self._text = rest + self._decode.decode(data, final=self._ended)
        self._at = 0

    def _advance(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def peek(self) -> str:
        """The next character that is not white space, or "" at the end."""
        while True:
            end = self._at
            while end < len(self._text) and self._text[end] in " \t\r\n":
                end += 1
            self._advance(end)
            if end < len(self._text):
                return self._text[end]
            if self._ended:
                return ""
            self._more(_CHUNK)

    def expect(self, character: str) -> None:
        """Step over `character`."""
        found = self.peek()
        if found != character:
            raise ValueError(
                f"not JSON: expected {character!r}, found "
                + (repr(found) if found else "the end of the file")
            )
        self._advance(self._at + 1)

    def value(self) -> Any:
        """The next value; its text is read in pieces that double, so the work stays linear.

        Raises:
            TwiceError: it holds a key twice; the value was stepped over.
            ValueError: not JSON.
        """
        self.peek()
        piece = _CHUNK
        decoder, twice = _DECODER, None
        while True:
            try:
                value, end = decoder.raw_decode(self._text, self._at)
            except TwiceError as error:
                decoder, twice = json.JSONDecoder(), error
                continue
            except json.JSONDecodeError as error:
                if self._ended:
                    raise ValueError(f"not JSON: {error.msg}") from error
            else:
                # A number at the very end of the window may go on after it.
                if end < len(self._text) or self._ended:
                    self._advance(end)
                    if twice:
                        raise twice
                    return value
            self._more(piece)
            piece *= 2
