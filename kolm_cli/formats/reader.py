"""Reading rows of any format from a file or a folder."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats import catalog
from kolm_cli.formats.fields import Fields, ImportedRow, RawRow, Shape, kind_of
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.records.conversation import faults
from kolm_cli.records.images import ImageChecker

# Rows by which the shape is recognised.
_LOOK_AHEAD = 20


class RowReader:
    """Reads one file or folder, as often as it is iterated.

    Args:
        path: what to read.
        format: a name of `catalog.names()`; None recognises it.
        images: the folder that relative image paths start from; by default the file's own.
        checker: decodes every image; None leaves the images unchecked.
        strip: keep of every image the pixels only, without its metadata.

    Attributes:
        format: the format in use, known once the first row was read: `json, rows`.
        foreign: keys of the rows that kolm has no use for, and in how many rows each stands.

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
    ) -> None:
        catalog.check_format(format)
        if not path.exists():
            raise InputError(Problem("there is no such file or folder", where=str(path)))
        if not path.is_dir() and not path.is_file():
            raise InputError(Problem("not a regular file", where=str(path)))
        self.path = path
        self.foreign: dict[str, int] = {}
        self._container = catalog.container_for(path, format)
        self._shape = next((s for s in catalog.SHAPES if s.name == format), None)
        folder = images or (path if path.is_dir() else path.parent)
        self._images = ImageReader(folder, checker, strip=strip)

    @property
    def format(self) -> str:
        """The container's and the shape's name."""
        return f"{self._container.name}, {self._shape.name if self._shape else 'no rows'}"

    def __iter__(self) -> Iterator[ImportedRow | Problem]:
        """Each row in the file's order, or the problems in its place."""
        self.foreign = {}
        records = self._container.read(self.path, self._images, self.path.name)
        head = list(islice(records, _LOOK_AHEAD))
        # One file holds rows of one shape, so that a broken row is not taken for one of
        # another shape; of those that fit any of the first rows, the most particular.
        self._shape = self._shape or recognise(head)
        for raw in chain(head, records):
            if isinstance(raw, Problem):
                yield raw
            else:
                yield from self._row(raw, self._shape)

    def _row(self, raw: RawRow, shape: Shape) -> Iterator[ImportedRow | Problem]:
        if not isinstance(raw.record, dict):
            yield Problem(f"expected an object, found {kind_of(raw.record)}", where=raw.where)
            return
        fields = Fields(raw)
        parsed = shape.parse(fields)
        if parsed is not None:
            said = " ".join(problem.what for problem in fields.problems)
            for what in faults(parsed.conversation):
                # A field of the wrong type was read as empty; it is not also empty.
                if not any(word in what and word in said for word in ("response", "prompt")):
                    fields.problem(what)
        if fields.problems or parsed is None:
            yield from fields.problems
            return
        for key in raw.record.keys() - shape.keys:
            self.foreign[key] = self.foreign.get(key, 0) + 1
        yield ImportedRow(
            raw.where,
            parsed.conversation,
            parsed.answers,
            {sha256: fields.images[sha256] for sha256 in parsed.conversation.images},
            parsed.model,
            parsed.tags,
            fields.facts,
            parsed.captured,
            parsed.review,
        )


def recognise(head: list[RawRow | Problem]) -> Shape:
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
