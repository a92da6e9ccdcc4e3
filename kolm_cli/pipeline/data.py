"""One side of the data that a spec names."""

from __future__ import annotations

from kolm_cli.core.errors import InputError, raise_if_any
from kolm_cli.dataset.sources import SourceRows, read_source, source_digest
from kolm_cli.spec.model import DataSection
from kolm_cli.spec.sources import Source


class Data:
    """One side of the data: named by its digest at once, read when its rows are needed.

    An unchanged source is recognized without reading it; whatever is read is read once.

    Args:
        source: where the rows are.
        section: how they are read.

    Attributes:
        digest: names the rows.
    """

    def __init__(self, source: Source, section: DataSection) -> None:
        self._source, self._accepted_only = source, section.review == "accepted"
        self._confine = "data.confine" if section.confine else ""
        self._rows: SourceRows | None = None
        known = source_digest(source, accepted_only=self._accepted_only, confine=self._confine)
        self.digest: str = known or self._read().digest

    def _read(self) -> SourceRows:
        if self._rows is None:
            self._rows = read_source(
                self._source, accepted_only=self._accepted_only, confine=self._confine
            )
        return self._rows

    def rows(self) -> SourceRows:
        """The rows, and every problem of the source.

        Raises:
            InputError: the source was changed after its digest was looked up.
        """
        rows = self._read()
        if rows.digest != self.digest and not rows.problems:
            raise InputError("the data changed while it was read", hint="run it again")
        return rows

    def check(self) -> None:
        """Read the rows.

        Raises:
            InputError: holds every problem of the source.
        """
        raise_if_any(self.rows().problems)
