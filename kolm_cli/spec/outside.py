"""What a spec names outside of itself: data, the base's folder, the metric."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterator
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import Problem
from kolm_cli.core.names import likely_fix
from kolm_cli.core.yaml_positions import Document
from kolm_cli.formats.columns import columns_of, wrong_in
from kolm_cli.scoring.metrics.catalog import get_metric
from kolm_cli.spec.model import is_metric, listed
from kolm_cli.spec.sources import (
    FORMS,
    AdapterSource,
    CaptureSource,
    Source,
    parse_adapter,
    parse_source,
    resolve,
)

_HUB_ID = re.compile(r"[A-Za-z0-9_][\w.-]*(/[\w.-]+)?", re.ASCII)


class Outside:
    """Finds what a spec names, and reports what is not there.

    It reads the document, not the checked spec, so that a missing file is reported beside a
    misspelled key. A value that is not plain text is left to the model, which reports it.

    Attributes:
        train: where `data.train` is, once `problems` found it.
        eval: where `data.eval` is, likewise.
        base: the folder of a local base; None for a hub id.
        adapter: the bundle that training starts from; None when it starts from the base.
        model: the hub id or the folder of the base; None when it is not known.
        unsure: the sides of the data whose columns are wrong.
    """

    def __init__(self, path: Path, document: Document, metrics: Collection[str] | None) -> None:
        self.path, self.document, self.metrics = path, document, metrics
        self.folder = path.absolute().parent
        self.train: Source | None = None
        self.eval: Source | None = None
        self.base: Path | None = None
        self.adapter: AdapterSource | None = None
        self.model: str | None = None
        self.unsure: set[str] = set()

    @property
    def revision(self) -> str:
        """Which revision of a hub id is meant."""
        return self._text("base.revision") or "main"

    def problems(self) -> Iterator[Problem]:
        """Look for everything; what is missing is a problem with its position."""
        self.train = yield from self._source("data.train")
        self.eval = yield from self._source("data.eval")
        yield from self._review()
        yield from self._confine()
        yield from self._model()
        yield from self._adapter()
        yield from self._metric()

    def _text(self, name: str) -> str | None:
        """The text at a dotted name, or None if there is something else."""
        value = self.value(name)
        return value if isinstance(value, str) and value.strip() and value.isprintable() else None

    def value(self, name: str) -> Any:
        """What the document has at a dotted name."""
        value: Any = self.document.value
        for step in name.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        return value

    def _problem(self, name: str, what: str, fix: str, *, key: bool = False) -> Problem:
        return Problem(what, self.place(name, key=key), fix)

    def place(self, name: str, *, key: bool = False) -> str:
        """`file:line:column: name`."""
        line, column = self.document.at(tuple(name.split(".")), key=key)
        return f"{self.path}:{line}:{column}: {name}"

    def _source(self, name: str) -> Generator[Problem, None, Source | None]:
        columns, side = None, name.rpartition(".")[2]
        if isinstance(mapping := self.value(name), dict):
            name = f"{name}.source"
            named = {field: column for field, column in mapping.items() if field != "source"}
            # What is wrong with it, the model says.
            if [*wrong_in(named)]:
                self.unsure.add(side)
            else:
                columns = columns_of(named)
        value = self._text(name)
        if value is None:
            return None
        try:
            return parse_source(value, self.folder, columns)
        except FileNotFoundError as error:
            yield self._problem(name, str(error), f"paths start at {self.folder}")
        except (ValueError, OSError, RuntimeError) as error:
            # OSError: a name too long; RuntimeError: a ~user that does not exist.
            yield self._problem(name, str(error), FORMS)
        return None

    def _review(self) -> Iterator[Problem]:
        captured = any(isinstance(source, CaptureSource) for source in (self.train, self.eval))
        both = self.train is not None and self.eval is not None
        if self._text("data.review") == "accepted" and both and not captured:
            yield self._problem(
                "data.review",
                "has no effect: only captured pairs are reviewed, and the data is files",
                "remove it, or write capture:NAME as data.train",
            )

    def _confine(self) -> Iterator[Problem]:
        sources = (self.train, self.eval)
        if self.value("data.confine") is True and all(
            isinstance(source, CaptureSource) for source in sources
        ):
            yield self._problem(
                "data.confine",
                "has no effect: images of captured pairs are in the store, and all data is",
                "remove it; kolm capture import has --confine",
            )

    def _model(self) -> Iterator[Problem]:
        value = self._text("base.model")
        if value is None:
            return
        try:
            folder = self._local(value)
            missing = folder is not None and not folder.is_dir()
        except (OSError, RuntimeError) as error:
            yield self._problem("base.model", str(error), "")
            return
        if folder is None:
            self.model = value
            return
        if missing:
            yield self._problem(
                "base.model",
                f"{value!r} is neither a hub id nor a folder that exists",
                f"paths start at {self.folder}",
            )
            return
        self.base, self.model = folder, str(folder)
        if self._text("base.revision") is not None:
            yield self._problem(
                "base.revision",
                "has no effect: base.model is a local folder",
                "remove it; the digests of the weights say which model it was",
            )

    def _adapter(self) -> Iterator[Problem]:
        value = self._text("base.adapter")
        if value is None:
            return
        try:
            self.adapter = parse_adapter(value, self.folder)
        except FileNotFoundError as error:
            fix = f"paths start at {self.folder}; a stored bundle is registry:NAME:TAG"
            yield self._problem("base.adapter", str(error), fix)
        except (ValueError, OSError, RuntimeError) as error:
            fix = "write registry:NAME:TAG, registry:CID, or the path of a bundle"
            yield self._problem("base.adapter", str(error), fix)

    def _local(self, value: str) -> Path | None:
        """The folder that `base.model` means, or None when it is a hub id."""
        folder = resolve(value, self.folder)
        return None if _HUB_ID.fullmatch(value) and not folder.is_dir() else folder

    def _metric(self) -> Iterator[Problem]:
        options: dict[str, Any] = {}
        value = self._text("evaluate.metric")
        if value is None:
            written = self.value("evaluate.metric")
            options = listed(written) if is_metric(written) else {}
            value = options.get("name")
        if value is None or self.metrics is None:
            return
        if value not in self.metrics:
            fix = likely_fix(value, sorted(self.metrics))
            yield self._problem("evaluate.metric", f"there is no metric {value!r}", fix)
            return
        given = {name: option for name, option in options.items() if name != "name"}
        metric = get_metric(value)
        known = {option.name for option in metric.options}
        for name, problem in metric.problems(given).items():
            in_list = isinstance(self.value("evaluate.metric"), list)
            place = "evaluate.metric" if in_list else f"evaluate.metric.{name}"
            yield self._problem(place, problem.what, problem.fix, key=name not in known)
