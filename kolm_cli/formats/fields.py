"""One imported row, and the reader that turns a record's fields into it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.names import likely
from kolm_cli.formats import regions
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.kinds import kind_of, number_text
from kolm_cli.formats.writing import CannotError, Exported, ImageForms
from kolm_cli.records.images import ImageSource
from kolm_cli.records.judging_tags import judging_of
from kolm_cli.records.pair import HasPair, Pair
from kolm_cli.records.pictures import ImageError, ImageFacts, upright_size
from kolm_cli.records.row import Row

_LONGEST_MISSPELT = 80


@dataclass(frozen=True)
class ImportedRow(HasPair):
    """A row that could be read.

    Attributes:
        where: the place a person can find again: `charts.jsonl:17`.
        images: by SHA-256, where the bytes of each image are.
        facts: by SHA-256, what decoding the image found; empty when images were not decoded.
        foreign: keys that kolm has no use for.
    """

    where: str
    images: Mapping[str, ImageSource] = field(default_factory=dict)
    facts: Mapping[str, ImageFacts] = field(default_factory=dict)
    foreign: frozenset[str] = frozenset()

    def as_row(self, id: str = "") -> Row:
        """What training and evaluation need of it, under `id` or the place it was read from."""
        judging = judging_of(self.tags)
        return Row(id or self.where, self.conversation, self.images, self.answers, judging=judging)


@dataclass(frozen=True, eq=False)
class Table:
    """A file whose records all have the same keys: one object for all of its rows.

    Attributes:
        where: the file.
        columns: the keys.
        implied: what its rows have without a column for it.
    """

    where: str
    columns: tuple[str, ...]
    implied: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawRow:
    """A record as its container gives it, not yet understood.

    Attributes:
        where: the place a person can find again.
        record: what is there, usually a dictionary.
        images: finds and reads the images that the record refers to.
        table: the table that it is a row of, None where records may differ.
        renamed: keys that the container gave kolm's names, as the file has them.
    """

    where: str
    record: Any
    images: ImageReader
    table: Table | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)


class Fields:
    """Reads a record's fields, collecting every problem instead of stopping at the first."""

    def __init__(self, raw: RawRow, *, asking: bool = False) -> None:
        self.where = raw.where
        # Whether the row is a question, which needs no answer.
        self.asking = asking
        self.record: Mapping[str, Any] = raw.record
        self.problems: list[Problem] = []
        self.images: dict[str, ImageSource] = {}
        self.facts: dict[str, ImageFacts] = {}
        # Fields that could not be read: their content is unknown, not absent.
        self.unread: set[str] = set()
        # Keys within the record that kolm has no use for, such as `messages[].mood`.
        self.foreign: set[str] = set()
        self._reader = raw.images

    def problem(self, what: str, fix: str = "", *, kind: str = "") -> None:
        """Note that something is wrong with this row."""
        self.problems.append(Problem(what, where=self.where, fix=fix, kind=kind))

    def missing(self, key: str, fix: str = "") -> None:
        """Note that a key is missing, unless it is there misspelled, which is noted already."""
        if key not in self.unread:
            self.unread.add(key)
            self.problem(f"the key {key!r} is missing", fix, kind=f"missing-key:{key}")

    def check_keys(self, known: Iterable[str], required: Iterable[str] = ()) -> list[str]:
        """Report required keys that are missing and keys that look misspelled.

        Returns:
            The other unknown keys: the data set's own columns, which kolm has no use for.
        """
        known = list(known)
        absent = [key for key in known if self.record.get(key) is None]
        foreign = []
        for key in self.record:
            if key in known:
                continue
            # Only a key that is not there can be the one that was meant.
            close = _meant(key, tuple(absent))
            if close:
                self.problem(
                    f"unknown key {key!r}", f"did you mean {close}?", kind=f"misspelt:{key}"
                )
                absent.remove(close)
                self.unread.add(close)
            else:
                foreign.append(key)
        for key in required:
            if self.record.get(key) is None:
                self.missing(key)
        return foreign

    def text(self, key: str, *, of: Mapping[str, Any] | None = None, name: str = "") -> str:
        """The text under `key`, or "" when it is absent (or wrong, which is reported)."""
        value = (self.record if of is None else of).get(key)
        return "" if value is None else self.as_text(value, name or key)

    def as_text(self, value: object, name: str) -> str:
        """`value` when it is text, else "" and a problem."""
        if not isinstance(value, str):
            self.problem(f"{name}: expected text, found {kind_of(value)}")
            self._not_read(name)
            return ""
        try:
            value.encode()
        except UnicodeEncodeError:
            self.problem(f"{name}: holds half of a surrogate pair, which is not text")
            self._not_read(name)
            return ""
        return value

    def _not_read(self, name: str) -> None:
        self.unread.add(re.split(r"[.\[]", name, maxsplit=1)[0])

    def answer(self, value: object, name: str) -> str:
        """A response: text, or a number, which is its digits as a CSV file would hold them."""
        return self.as_text(number_text(value) or value, name)

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts under `key`, a lone one as a list of one; answers may be numbers."""
        value = self.record.get(key)
        if value is None:
            return ()
        read = self.answer if key == "answers" else self.as_text
        if isinstance(value, str) or (key == "answers" and number_text(value)):
            value = [value]
        if not isinstance(value, list | tuple):
            self.problem(f"{key}: expected a list of texts, found {kind_of(value)}")
            return ()
        return tuple(read(item, f"{key}[{i}]") for i, item in enumerate(value))

    def image(self, value: object, name: str) -> str | None:
        """Read one image reference; its SHA-256, or None after a problem."""
        try:
            sha256, source, facts = self._reader.read(value)
        except ImageError as error:
            self.problem(f"{name}: {error}")
            return None
        self.images[sha256] = source
        if facts is not None:
            self.facts[sha256] = facts
        return sha256

    def size_of(self, sha256: str) -> tuple[int, int] | None:
        """Width and height of an image of the row, upright; None after a problem."""
        if (facts := self.facts.get(sha256)) is not None:
            return facts.width, facts.height
        try:
            return upright_size(self.images[sha256].read())
        except (ImageError, InputError) as error:
            self.problem(f"its image cannot be read: {error}")
            return None

    def image_list(self, value: object, name: str) -> tuple[str, ...]:
        """Read a list of image references, or a single one."""
        values = value if isinstance(value, list | tuple) else [value]
        single = values is not value
        found = [
            self.image(item, name if single else f"{name}[{i}]") for i, item in enumerate(values)
        ]
        return tuple(sha256 for sha256 in found if sha256 is not None)

    def shown(self, pair: Pair) -> dict[str, ImageSource]:
        """Where the bytes of the pair's images are."""
        return {sha256: self.images[sha256] for sha256 in pair.conversation.images}


# Rows of one file have the same keys.
@functools.lru_cache(maxsize=16_384)
def _meant(key: str, absent: tuple[str, ...]) -> str:
    """Which of these a key looks like, or ""."""
    if len(key) > _LONGEST_MISSPELT:
        return ""
    return likely(key, absent, nearly=True) or ""


@dataclass(frozen=True)
class Shape:
    """How a record spells a conversation.

    Attributes:
        name: what `--format` takes.
        summary: one line for a reader.
        claims: whether a record looks like one of this shape, by its keys.
        parse: reads a record; reports problems through `Fields`, and gives None after one
            that leaves no conversation.
        keys: every key it knows.
        render: writes a pair as a record; raises `CannotError` for what has no place in it.
        array: programs read it as one JSON array instead of lines.
        columns: what a table must have a column for, each as the names that it may have.
        log: records are logged calls, whose texts hold no markers of boxes.
        wishes: it is written with how large each image asks to be shown.
    """

    name: str
    summary: str
    claims: Callable[[Mapping[str, Any]], bool]
    parse: Callable[[Fields], Pair | None]
    keys: frozenset[str]
    render: Callable[[Exported, ImageForms], dict[str, Any]]
    array: bool = False
    columns: tuple[tuple[str, ...], ...] = ()
    log: bool = False
    wishes: bool = False

    def read(self, fields: Fields) -> Pair | None:
        """`parse`, with the boxes that the record carries where its texts say."""
        pair = self.parse(fields)
        return pair if pair is None else regions.place(fields, pair, marked=not self.log)

    def record(self, pair: Exported, images: ImageForms) -> dict[str, Any]:
        """The record that `read` reads.

        Raises:
            CannotError: it has no place for something that the pair holds.
        """
        if not self.wishes and any(pair.conversation.wishes) and not pair.lossy:
            raise CannotError(f"{self.name} has no place for the size of an image")
        if self.log:
            if pair.conversation.has_regions and not pair.lossy:
                raise CannotError(f"{self.name} has no place for boxes")
            return self.render(pair, images)
        marked, beside = regions.taken_out(pair.conversation)
        taken = replace(pair, pair=replace(pair.pair, conversation=marked))
        return {**self.render(taken, images), **beside}
