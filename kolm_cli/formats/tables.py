"""Records on their way to a shape: their columns get kolm's names, and a table is refused once."""

from __future__ import annotations

from collections.abc import Sequence

from kolm_cli.core.errors import Problem
from kolm_cli.formats.columns import Chosen, Columns, named
from kolm_cli.formats.fields import RawRow, Shape, Table

_FIX = (
    "say which columns hold them, in a spec as data.train: {source: FILE, image: COLUMN}, on the"
    " command line as --column image=COLUMN; an empty cell of image means that there is none"
)


class Tables:
    """Maps the columns of one file or folder.

    Args:
        columns: the mapping; None leaves the names as they are.
        head: the first records, by which files are judged that are no tables.
        where: what problems of those files name.
        asking: the rows are questions, which need no answer.
    """

    def __init__(
        self,
        columns: Columns | None,
        head: Sequence[RawRow | Problem],
        where: str,
        *,
        asking: bool = False,
    ) -> None:
        self._asking = asking
        self._columns, self._where = columns, where
        self._chosen: dict[Table | None, Chosen] = {}
        self._refused: set[Table | None] = set()
        self._checked: set[Table] = set()
        records = [raw for raw in head if isinstance(raw, RawRow) and isinstance(raw.record, dict)]
        self._keys = dict.fromkeys(k for raw in records for k in (*raw.renamed, *raw.record))

    @property
    def notes(self) -> list[str]:
        """A line for each text that the mapping puts into every row."""
        return list(dict.fromkeys(note for c in self._chosen.values() for note in c.notes))

    def mapped(self, raw: RawRow | Problem) -> RawRow | Problem | None:
        """The record with kolm's names; None for one of a table whose problem was told."""
        if isinstance(raw, Problem) or (self._columns is None and not self._refused):
            return raw
        if raw.table in self._refused:
            return None
        if self._columns is None:
            return raw
        chosen = self._chosen.get(raw.table)
        if chosen is None:
            known = (*raw.renamed, *raw.table.columns) if raw.table else tuple(self._keys)
            found = self._columns.choose(known, raw.table.where if raw.table else self._where)
            if isinstance(found, Problem):
                self._refused.add(raw.table)
                return found
            chosen = self._chosen[raw.table] = found
        return chosen.apply(raw)

    def admitted(self, raw: RawRow | Problem, shape: Shape) -> RawRow | Problem | None:
        """The record; for the first of a table that lacks a column, the problem; then None."""
        if isinstance(raw, Problem):
            return raw
        if raw.table in self._refused:
            return None
        if raw.table is None or raw.table in self._checked:
            return raw
        self._checked.add(raw.table)
        return self._lacking(raw.table, shape) or raw

    def _lacking(self, table: Table, shape: Shape) -> Problem | None:
        chosen = self._chosen.get(table)
        columns = chosen.after(table.columns) if chosen else table.columns
        there = {*columns, *table.implied}
        if self._asking:
            there |= {"response"}
        lacking = [names for names in shape.columns if not set(names) & there]
        if not lacking:
            return None
        self._refused.add(table)
        listed = " and ".join(" or ".join(map(repr, names)) for names in lacking)
        what = f"there is no column {listed}; {named(table.columns)}"
        return Problem(what, table.where, _FIX, "missing-column")
