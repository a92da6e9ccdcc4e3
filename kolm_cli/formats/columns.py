"""Which column of a data set holds what, where its names are not kolm's; texts for every row.

`{"image": "photo", "response": "label", "prompt": "Which digit is this?"}`: a value is the name of
a column. For a field that holds text it may also be the text itself, once it is more than a word: a
misspelled column must not become everybody's question. `{"column": …}` and `{"text": …}` leave no
doubt.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from kolm_cli.core.errors import Problem
from kolm_cli.core.names import likely_fix

if TYPE_CHECKING:
    # Reading a spec loads this module, and no image library with it.
    from kolm_cli.formats.fields import RawRow

FIELDS = (
    "image", "images", "prompt", "response", "answers", "system", "messages", "conversations",
    "completion", "model", "tags", "time", "review", "id",
)  # fmt: skip
# What may be one text for all rows.
TEXTS = ("prompt", "system", "model")
_WORD = re.compile(r"[\w.-]+")


class Wrong(NamedTuple):
    """What is wrong with one field of a mapping."""

    field: str
    what: str
    fix: str


@dataclass(frozen=True)
class Entry:
    """One field, and where its value comes from.

    Attributes:
        field: kolm's name.
        value: a column's name, or the text itself.
        kind: which of the two it is; `either` is decided by the columns that there are.
    """

    field: str
    value: str
    kind: Literal["column", "text", "either"] = "either"

    @property
    def may_be_text(self) -> bool:
        """Whether it is the text itself where there is no such column."""
        return self.field in TEXTS and not _WORD.fullmatch(self.value)


@dataclass(frozen=True)
class Columns:
    """A mapping that can be used; see the module."""

    entries: tuple[Entry, ...]

    def choose(self, known: Collection[str], where: str) -> Chosen | Problem:
        """Decide each entry by the columns that there are, or say which there are not.

        Args:
            known: the columns.
            where: the place that a problem names.
        """
        columns: dict[str, str] = {}
        texts: dict[str, str] = {}
        missing: list[Entry] = []
        for entry in self.entries:
            if entry.kind != "text" and entry.value in known:
                columns[entry.field] = entry.value
            elif entry.kind == "text" or (entry.kind == "either" and entry.may_be_text):
                texts[entry.field] = entry.value
            else:
                missing.append(entry)
        if not missing:
            return Chosen(columns, texts)
        listed = " and ".join(f"{entry.value!r} (for {entry.field})" for entry in missing)
        texted = next((e for e in missing if e.field in TEXTS and e.kind == "either"), None)
        fix = "name one of its columns" + (
            f"; for one text in every row write {texted.field}: {{text: {texted.value}}}"
            if texted
            else ""
        )
        return Problem(f"there is no column {listed}; {named(known)}", where, fix, "missing-column")


@dataclass(frozen=True)
class Chosen:
    """A mapping after it met the columns of a data set.

    Attributes:
        columns: kolm's name to the column that holds it.
        texts: kolm's name to the text that every row has.
    """

    columns: Mapping[str, str]
    texts: Mapping[str, str]

    def apply(self, raw: RawRow) -> RawRow | Problem:
        """The row with kolm's names; a column that it lacks is a problem, a null in one is not."""
        if not isinstance(raw.record, dict):
            return raw
        record = dict(raw.record)
        found = {}
        for field, column in self.columns.items():
            here = raw.renamed.get(column, column)
            if here not in raw.record:
                what = f"the key {column!r} is missing"
                return Problem(
                    what, raw.where, f"it was named for {field}", f"missing-key:{column}"
                )
            found[field] = raw.record[here]
            record.pop(here, None)
        return replace(raw, record={**record, **found, **self.texts})

    def after(self, columns: Collection[str]) -> list[str]:
        """The names that a table has once they are kolm's."""
        taken = set(self.columns.values())
        return [*(name for name in columns if name not in taken), *self.columns, *self.texts]

    @property
    def notes(self) -> list[str]:
        """A line for each text that every row has."""
        return [f"the {field} of every row is {text!r:.200}" for field, text in self.texts.items()]


def named(columns: Collection[str]) -> str:
    """`its columns are 'a', 'b'`, of many the first."""
    shown = [repr(name) for name in list(columns)[:40]]
    more = f" and {len(columns) - 40} more" if len(columns) > 40 else ""
    return f"its columns are {', '.join(shown)}{more}" if columns else "it has no columns"


def wrong_in(mapping: Mapping[Any, Any]) -> Iterator[Wrong]:
    """Everything that is wrong with a mapping of kolm's names to columns or texts."""
    for field, value in mapping.items():
        if field not in FIELDS:
            fix = likely_fix(str(field)[:100], FIELDS)
            yield Wrong(str(field), f"rows have no field {field!r:.60}", fix)
        elif isinstance(value, Mapping):
            if len(value) != 1 or not value.keys() <= {"column", "text"}:
                yield Wrong(field, "neither {column: …} nor {text: …}", "write one of the two")
            elif not isinstance(next(iter(value.values())), str):
                yield Wrong(field, "is not text", "put it in quotes")
            elif "text" in value and field not in TEXTS:
                what = f"cannot be one text for every row; {', '.join(TEXTS)} can"
                yield Wrong(field, what, "name a column")
        elif not isinstance(value, str) or not value.strip():
            what = f"{value!r:.60} is not the name of a column"
            yield Wrong(field, what, "write the column's name, in quotes where it is a number")
    if {"image", "images"} <= mapping.keys():
        yield Wrong("images", "both image and images are named", "name one of them")


def columns_of(mapping: Mapping[str, Any]) -> Columns | None:
    """The mapping, in which nothing is wrong; None for an empty one."""
    entries = []
    for field, value in mapping.items():
        if isinstance(value, Mapping):
            ((kind, said),) = value.items()
            entries.append(Entry(field, said, "text" if kind == "text" else "column"))
        else:
            entries.append(Entry(field, value))
    return Columns(tuple(entries)) if entries else None
