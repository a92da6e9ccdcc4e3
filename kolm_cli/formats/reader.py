"""Reading rows of any format from a file or a folder."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats import catalog, regions
from kolm_cli.formats.budget import MAX_BAD_ROWS, MAX_COLUMNS
from kolm_cli.formats.columns import Columns
from kolm_cli.formats.fields import Fields, ImportedRow, RawRow, Shape
from kolm_cli.formats.image_references import WISHES, ImageReader, Root
from kolm_cli.formats.kinds import kind_of
from kolm_cli.formats.tables import Tables
from kolm_cli.records.conversation import EMPTY_RESPONSE, NO_PROMPT, NO_RESPONSE, faults
from kolm_cli.records.images import ImageChecker
from kolm_cli.records.spool import Spool

# Rows by which the shape is recognized.
_LOOK_AHEAD = 20
_LOOK_AHEAD_BYTES = 4 * 1024 * 1024
# Keys of other programs' rows that change what is shown or learned.
_REFUSED = frozenset(
    {"videos", "video", "audios", "audio", "rejected_response", "rejected"}
    | {"channel_loss", "loss_mask", "loss_scale"}
    | WISHES
)
# Of these, only a false one does. A loss of 0 may be one that was measured.
_REFUSED_FALSE = frozenset({"train", "learn", "trainable", "loss"})
_REFUSED |= _REFUSED_FALSE
# How Qwen-VL's first rows named their images.
_IN_TEXT = re.compile(r"<img>[^<>]{1,1000}</img>")
# What a shape's reader raises on a record that nobody thought of.
_UNFORESEEN = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip
# The fields in which the shapes hold what a fault says is not there.
_LISTS = frozenset({"messages", "conversations", "input"})
_HELD_IN = {
    NO_RESPONSE: _LISTS | {"completion", "response"},
    EMPTY_RESPONSE: _LISTS | {"completion", "response", "answers", "output"},
    NO_PROMPT: _LISTS | {"prompt"},
}


class RowReader:
    """Reads one file or folder, as often as it is iterated.

    Args:
        path: what to read.
        format: a name of `catalog.names()`; None recognizes it.
        images: the folder that relative image paths start from; by default the file's own.
        checker: decodes every image; None leaves the images unchecked.
        strip: keep of every image the pixels only, without its metadata.
        confine: the option that asks to refuse images outside of the folder, and links in it that
            lead out of it; empty when they are read.
        columns: which columns hold what, where they do not have kolm's names.
        spool: keeps images that are inside rows, for whoever keeps the rows; in memory when None.
        asking: the rows are questions: they need no answer, and lose the one that they have.

    Attributes:
        format: the format in use, known once the first row was read: `json, rows`.
        foreign: keys of the rows that kolm has no use for, and how many rows have each.
        root: the folder that images should be in, and how many are not.
        notes: a line for each text that `columns` puts into every row.

    Raises:
        InputError: there is no such file, or nothing reads it.
    """

    def __init__(
        self,
        path: Path,
        *,
        format: str | None = None,
        images: Path | None = None,
        checker: ImageChecker | None = None,
        strip: bool = False,
        confine: str = "",
        columns: Columns | None = None,
        spool: Spool | None = None,
        asking: bool = False,
    ) -> None:
        if format is not None:
            catalog.check_format(format, catalog.names())
        if not path.exists():
            fix = "check the path; relative ones start at the folder that you are in"
            raise InputError(Problem("there is no such file or folder", str(path), fix))
        if not path.is_dir() and not path.is_file():
            raise InputError(Problem("not a regular file", str(path), "copy its rows into a file"))
        self.path = path
        self.foreign: dict[str, int] = {}
        self.notes: list[str] = []
        self._columns, self._asking = columns, asking
        if path.is_dir():
            catalog.refuse_several_sides(path)
        self._container = catalog.container_for(path, format)
        self._shape = next((s for s in catalog.SHAPES if s.name == format), None)
        folder = images or (path if path.is_dir() else path.parent)
        self.root = Root(folder, confine=confine)
        self._images = ImageReader(folder, checker, strip=strip, root=self.root, spool=spool)

    @property
    def format(self) -> str:
        """The container's and the shape's name."""
        return f"{self._container.name}, {self._shape.name if self._shape else 'no rows'}"

    def __iter__(self) -> Iterator[ImportedRow | Problem]:
        """Each row in the file's order, or the problems in its place."""
        self.foreign = {}
        self.root.forget()
        links = [] if self.path.is_file() else [*self.root.links_refused()]
        if links:
            yield from links
            return
        records = self._container.read(self.path, self._images, self.path.name)
        first = _head(records)
        tables = Tables(self._columns, first, self.path.name, asking=self._asking)
        # Taken out one by one: rows may hold images.
        head = deque(raw for raw in map(tables.mapped, first) if raw is not None)
        first.clear()
        # One file holds rows of one shape, so that a broken row is not taken for one of
        # another shape; of those that fit any of the first rows, the most particular.
        self._shape = self._shape or recognise(head)
        self.notes = tables.notes
        bad = 0
        for raw in chain(_taken(head), map(tables.mapped, records)):
            if bad > MAX_BAD_ROWS:
                what = f"more than {MAX_BAD_ROWS} rows cannot be read"
                raise InputError(Problem(what, where=str(self.path)))
            admitted = raw and tables.admitted(raw, self._shape)
            if admitted is None:
                continue
            found = _read(admitted, self._shape, asking=self._asking)
            if isinstance(found, ImportedRow):
                for key in found.foreign:
                    self.foreign[key] = self.foreign.get(key, 0) + 1
                yield found
            else:
                bad += 1
                yield from found


def _head(records: Iterator[RawRow | Problem]) -> list[RawRow | Problem]:
    """The first rows, fewer where they hold large images."""
    head: list[RawRow | Problem] = []
    size = 0
    while len(head) < _LOOK_AHEAD and size < _LOOK_AHEAD_BYTES:
        raw = next(records, None)
        if raw is None:
            break
        head.append(raw)
        if isinstance(raw, RawRow) and isinstance(raw.record, dict):
            size += sum(map(_size, raw.record.values()))
    return head


def _size(value: object) -> int:
    """The bytes of a value, or of what is in it."""
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 0


def _taken(rows: deque[RawRow | Problem]) -> Iterator[RawRow | Problem]:
    while rows:
        yield rows.popleft()


def _read(raw: RawRow | Problem, shape: Shape, *, asking: bool) -> ImportedRow | list[Problem]:
    if isinstance(raw, Problem):
        return [raw]
    return read_row(_named_in_text(raw), shape, asking=asking)


def _named_in_text(raw: RawRow) -> RawRow:
    """The row with a place that is text: archives and file systems name things in any bytes."""
    where = raw.where.encode("utf-8", "backslashreplace").decode()
    return raw if where == raw.where else replace(raw, where=where)


def read_row(raw: RawRow, shape: Shape, *, asking: bool = False) -> ImportedRow | list[Problem]:
    """The row that a record holds, or everything that is wrong with it.

    Args:
        raw: the record.
        shape: how it spells a conversation.
        asking: it is a question; its last message is then an empty answer.
    """
    if not isinstance(raw.record, dict):
        return [Problem(f"expected an object, found {kind_of(raw.record)}", where=raw.where)]
    if len(raw.record) > MAX_COLUMNS:
        what = f"{len(raw.record)} keys, more than the {MAX_COLUMNS} allowed"
        return [Problem(what, where=raw.where)]
    fields = Fields(raw, asking=asking)
    try:
        pair = shape.read(fields)
    except _UNFORESEEN as error:
        # Whatever is wrong with a row is that row's.
        what = "nested too deeply" if isinstance(error, RecursionError) else repr(error)[:200]
        return [*fields.problems, Problem(f"cannot be understood: {what}", where=raw.where)]
    if pair is not None:
        if asking:
            pair = replace(pair, conversation=pair.conversation.unanswered(), answers=())
        fields.problems += [
            fault
            for fault in faults(pair.conversation, raw.where)
            if not (asking and fault.kind == EMPTY_RESPONSE)
            # What could not be read is not also empty.
            and not _HELD_IN.get(fault.kind, frozenset()) & fields.unread
        ]
        # Not every field of a shape is read as text.
        for name, texts in (("model", (pair.model,)), ("tags", pair.tags)):
            for text in texts:
                fields.as_text(text, name)
        if not shape.log and any(
            _IN_TEXT.search(m.text) for m in pair.conversation.messages if m.role == "user"
        ):
            fields.problem(
                "names an image within its text, as <img>…</img>",
                "list it in images, and write <image> where it goes",
                kind="image-in-text",
            )
    for key in sorted(_REFUSED & raw.record.keys() - shape.keys):
        value = raw.record[key]
        says = _is_false(key, value) if key in _REFUSED_FALSE else value not in (None, [], {})
        if says:
            fields.problem(
                f"the key {key!r} changes what the row means, and kolm does not do what it asks",
                "leave the key or the row out",
                kind=f"refused-key:{key}",
            )
    if fields.problems or pair is None:
        return fields.problems
    known = shape.keys | regions.KEYS
    foreign = frozenset(map(str, raw.record.keys() - known)) | fields.foreign
    return ImportedRow(pair, raw.where, fields.shown(pair), fields.facts, foreign)


def _is_false(key: str, value: object) -> bool:
    """Whether a key says no, in the words of JSON or of a table of texts."""
    said = value.strip().lower() if isinstance(value, str) else value
    if key == "loss":
        return said is False or said == "false"
    return said in (0, "0", "false")


def recognise(head: Sequence[RawRow | Problem]) -> Shape:
    """The first shape that claims one of these; kolm's own rows when none does."""
    records = [r.record for r in head if isinstance(r, RawRow) and isinstance(r.record, dict)]
    for shape in catalog.SHAPES:
        if any(shape.claims(record) for record in records):
            return shape
    return catalog.SHAPES[-1]


def read_rows(
    path: Path,
    *,
    format: str | None = None,
    images: Path | None = None,
    check_images: bool = True,
) -> Iterator[ImportedRow | Problem]:
    """Every row of a file or folder, or the problems in its place; see `RowReader`.

    Raises:
        InputError: there is no such file, or nothing reads it.
    """
    checker = ImageChecker() if check_images else None
    return iter(RowReader(path, format=format, images=images, checker=checker))
