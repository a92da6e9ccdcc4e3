"""`kolm diff`: what changed between two bundles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kolm_cli.cli.bundle_options import BundleArgument
from kolm_cli.cli.output import Output

if TYPE_CHECKING:
    from kolm_cli.registry.differences import Changes, Difference

_SHOWN = 10
# Integers have no end, and floats do.
_TOO_LARGE = 1e300


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("diff")(diff_command)


def diff_command(
    a: BundleArgument,
    b: Annotated[str, typer.Argument(help="The other one.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="One JSON document, in full.")] = False,
) -> None:
    """Say what changed from A to B: base, spec, data, modules, scores. Exits 0 either way."""
    from kolm_cli.core.printable import one_line
    from kolm_cli.registry.bundle_file import bundle_file
    from kolm_cli.registry.differences import compare

    with bundle_file(a) as first, bundle_file(b) as second:
        found = compare(first, second)
    output = Output(as_json=json)
    if json:
        output.json(found.as_json())
        return
    for line in _lines(found):
        # Names of rows and settings are the bundles' own words: they must not steer the terminal.
        output.data(one_line(line))


def _lines(found: Difference) -> Iterator[str]:
    yield f"a  {found.cids[0]}"
    yield f"b  {found.cids[1]}"
    if found.same_content:
        yield "the content is the same"
    yield from _values("base", found.base)
    yield from _values("spec", found.spec)
    yield from _names("training rows", found.train)
    yield from _names("evaluation rows", found.eval)
    yield from _names("trainable", found.trainable)
    yield from _names("frozen", found.frozen)
    yield from _values("scores", found.scores)
    rows = found.predictions
    if rows.differ:
        yield (
            f"predictions: {len(rows.differ)} differ,"
            f" {len(rows.better)} better, {len(rows.worse)} worse"
        )
        for sign, names in (("better", rows.better), ("worse", rows.worse)):
            yield from _few(sign, names)
    yield from _names("files", found.files)
    yield from _names("signers", found.signers)


def _values(title: str, pairs: Mapping[str, tuple[Any, Any]]) -> Iterator[str]:
    if pairs:
        yield f"{title}:"
    for name, (before, after) in pairs.items():
        change = ""
        if all(type(v) in (int, float) and abs(v) < _TOO_LARGE for v in (before, after)):
            change = f"  ({after - before:+.4g})"
        yield f"  {name}: {_text(before)} -> {_text(after)}{change}"


def _text(value: Any) -> str:
    return "(none)" if value is None else str(value)


def _names(title: str, changes: Changes) -> Iterator[str]:
    if not changes:
        return
    counts = ((len(changes.added), "added"), (len(changes.removed), "removed"))
    words = [f"{n} {word}" for n, word in (*counts, (len(changes.changed), "changed")) if n]
    yield f"{title}: {', '.join(words)}"
    for sign, names in (("+", changes.added), ("-", changes.removed), ("~", changes.changed)):
        yield from _few(sign, names)


def _few(sign: str, names: list[str]) -> Iterator[str]:
    for name in names[:_SHOWN]:
        yield f"  {sign} {name}"
    if len(names) > _SHOWN:
        yield f"  {sign} and {len(names) - _SHOWN} more; --json names them all"
