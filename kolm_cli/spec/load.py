"""Read a spec file, and report everything that is wrong with it at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.files import expanded, read_regular
from kolm_cli.core.yaml_positions import MAX_BYTES, Document, parse
from kolm_cli.spec.model import Spec
from kolm_cli.spec.outside import Outside
from kolm_cli.spec.overrides import overridden, told
from kolm_cli.spec.sources import AdapterSource, Source, resolve
from kolm_cli.spec.wording import problems_of

VERSION = 1


@dataclass(frozen=True)
class LoadedSpec:
    """A checked spec and the file it came from.

    Attributes:
        spec: the spec, every default filled in.
        path: the file as it was named.
        folder: the absolute folder of the file; relative paths in the spec start here.
        sha256: hex digest of the file's bytes.
        train_source: where `data.train` is.
        eval_source: where `data.eval` is.
        base_folder: the folder of a local base, or None when `base.model` is a hub id.
        adapter: the bundle that training starts from; None when it starts from the base.
    """

    spec: Spec
    path: Path
    folder: Path
    sha256: str
    train_source: Source
    eval_source: Source
    base_folder: Path | None
    adapter: AdapterSource | None
    document: Document = field(repr=False)

    def position(self, name: str) -> str:
        """`file:line:column` of the field with this dotted name, or of what lacks it."""
        return _place(self.path, self.document, tuple(name.split(".")))

    def resolve(self, value: str) -> Path:
        """The absolute path that `value` means in this spec."""
        return resolve(value, self.folder)

    @property
    def bundle_path(self) -> Path:
        """Where the bundle goes: `{out}/{name}.kolm`, relative to the working directory."""
        return expanded(self.spec.bundle.out).absolute() / f"{self.spec.name}.kolm"


class SpecError(InputError):
    """The spec is wrong.

    Attributes:
        outside: what it names all the same.
    """

    def __init__(self, *problems: Problem, outside: Outside) -> None:
        super().__init__(*problems)
        self.outside = outside


def load_spec(
    path: Path, *, metrics: Collection[str] | None = None, settings: Sequence[str] = ()
) -> LoadedSpec:
    """Read and check the spec at `path`.

    Args:
        path: the YAML file.
        settings: `key=value` for each option that is another than in the file.
        metrics: the names that `evaluate.metric` may have; not checked when None.

    Raises:
        SpecError: holds every problem found, each with `file:line:column: field`.
        InputError: it cannot be read, or is no spec of this version.
    """
    data = _read(path)
    document = parse(data, str(path))
    if not isinstance(document.value, dict) or not document.value:
        raise InputError(
            Problem("not a spec: it has no `name: value` lines", f"{path}:1:1"),
            hint="kolm init writes a spec to start from",
        )
    document = overridden(document, settings)
    _check_version(path, document)
    problems = list(document.problems)
    spec: Spec | None = None
    try:
        spec = Spec.model_validate(document.value)
    except ValidationError as error:
        problems += problems_of(error, lambda loc, key: _place(path, document, loc, key=key))
    outside = Outside(path, document, metrics)
    problems += outside.problems()
    if problems:
        found = (told(p, settings) for p in sorted(set(problems), key=_line_order))
        raise SpecError(*found, outside=outside)
    if spec is None or outside.train is None or outside.eval is None:
        raise AssertionError("a spec without problems lacks something")
    return LoadedSpec(
        spec=spec,
        path=path,
        folder=outside.folder,
        sha256=sha256_bytes(data),
        train_source=outside.train,
        eval_source=outside.eval,
        base_folder=outside.base,
        adapter=outside.adapter,
        document=document,
    )


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_BYTES)
    except FileNotFoundError as error:
        raise InputError(
            Problem("there is no such file", str(path)), hint="kolm init writes a spec"
        ) from error
    except IsADirectoryError as error:
        raise InputError(Problem("a folder", str(path), "name the spec file in it")) from error
    except OSError as error:
        what, fix = f"cannot be read: {error.strerror}", "name a spec that you may read"
        raise InputError(Problem(what, str(path), fix)) from error


def _place(path: Path, document: Document, loc: tuple[str | int, ...], *, key: bool = False) -> str:
    line, column = document.at(loc, key=key)
    return f"{path}:{line}:{column}"


def _line_order(problem: Problem) -> tuple[int, int]:
    numbers = re.search(r":(\d+):(\d+): ", problem.where)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def _check_version(path: Path, document: Document) -> None:
    """Stop at another version: every other message would speak of the wrong rules."""
    version = document.value.get("kolm", VERSION)
    if type(version) is not int or version != VERSION:
        raise InputError(
            Problem(
                f"spec version {version!r:.40} is not supported by this version of kolm",
                f"{_place(path, document, ('kolm',))}: kolm",
                f"write kolm: {VERSION}",
            )
        )
