"""Reading JSON values strictly, one at a time, from a text of any length."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from kolm_cli.formats.budget import MAX_VALUES, BudgetError

# A record with a dozen large images in base64 stays far below.
MAX_RECORD = 512 * 1024 * 1024
_CHUNK = 1 << 20


class TwiceError(ValueError):
    """A key that occurs twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise TwiceError(f"the key {key[:80]!r} occurs twice in one object")
        result[key] = value
    return result


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def parse(text: bytes) -> Any:
    """Read one JSON value; a duplicate key is refused.

    Raises:
        ValueError: says what is wrong, and at which column.
    """
    try:
        decoded = text.decode("utf-8")
        check_values(decoded)
        return _DECODER.decode(decoded)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column" if error.lineno > 1 else "column"
        raise ValueError(f"not JSON: {error.msg} at {place} {error.colno}") from error
    except RecursionError as error:
        raise ValueError("not JSON: nested too deeply") from error


def check_values(text: str) -> None:
    """Raise `ValueError` for a record of so many values that it would fill memory."""
    if len(text) > MAX_VALUES and sum(map(text.count, ",:[{")) > 2 * MAX_VALUES:
        raise BudgetError(f"more than {MAX_VALUES} values in one record")


class JSONWindow:
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
        check_values(rest)
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
