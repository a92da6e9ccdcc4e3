"""`kolm capture rm`, `check` and `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolm_cli.cli.commands.capture import options
from kolm_cli.cli.output import Output

# The store counts to 2^63.
_MOST_DIGITS = 18


def rm(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="NS|ID", help="A namespace, numbers of pairs, or both."),
    ] = None,
    since: options.Since = None,
    until: options.Until = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Of this age: 90d, 12h.")
    ] = None,
    model: options.Model = None,
    tag: options.Tag = None,
    text: options.Says = None,
    review: options.Review = None,
    source: options.Source = None,
    image: options.Image = None,
    everything: Annotated[bool, typer.Option("--all", help="Every pair of the namespace.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: options.Json = False,
) -> None:
    """Remove pairs for good, and the images that no other pair shows.

    Without a namespace, conditions apply to every namespace: `kolm capture rm --image FILE`
    forgets a picture everywhere.
    """
    from kolm_cli.capture.filters import Filter
    from kolm_cli.capture.removal import matching, remove
    from kolm_cli.capture.store import Store
    from kolm_cli.cli.live import progress_for
    from kolm_cli.core.errors import InputError, Problem

    namespace, ids = _what(what or [])
    if older_than is not None and until is not None:
        raise InputError(Problem("--older-than and --until say the same", fix="keep one"))
    wanted = options.make_filter(
        since, until or older_than, model, tag, text, review, source, image, ids
    )
    if wanted == Filter() and not (everything and namespace):
        raise InputError(
            Problem("nothing says which pairs", fix="give numbers or a condition, or NS --all")
        )
    if everything and wanted != Filter():
        raise InputError(Problem("--all and a condition exclude each other", fix="keep one"))
    output = Output(as_json=as_json)
    with Store.open() as store:
        numbers = matching(store, namespace, wanted)
        unknown = set(ids) - set(numbers)
        if unknown:
            raise InputError(
                *(Problem(f"there is no such pair: {number}") for number in sorted(unknown)),
                hint="kolm capture ls NS lists numbers",
            )
        if dry_run:
            if as_json:
                output.json({"pairs": len(numbers), "ids": numbers})
            else:
                output.data(f"{len(numbers)} pairs would be removed")
            return
        if numbers and not yes:
            _ask(len(numbers))
        with progress_for(output, brief=True) as progress:
            done = remove(store, numbers, progress)
    if as_json:
        output.json(dict(done.__dict__))
    else:
        output.data(f"removed {done.pairs} pairs and {done.images} images ({done.bytes} bytes)")
    if not done.clean:
        output.note(
            "note: another process has the store open; the removed text leaves the write-ahead "
            "log when that process ends"
        )


def _what(words: list[str]) -> tuple[str | None, tuple[int, ...]]:
    """Tell a namespace from numbers of pairs."""
    from kolm_cli.core.errors import InputError, Problem

    names = [word for word in words if not word.isdecimal()]
    if len(names) > 1:
        raise InputError(
            Problem(f"more than one namespace: {', '.join(names)}", fix="name one at a time")
        )
    numbers = [word for word in words if word.isdecimal()]
    if beyond := [number[:40] for number in numbers if len(number) > _MOST_DIGITS]:
        raise InputError(
            *(Problem(f"there is no such pair: {number}") for number in beyond),
            hint="kolm capture ls NS lists numbers",
        )
    return (names[0] if names else None), tuple(map(int, numbers))


def _ask(pairs: int) -> None:
    from kolm_cli.core.errors import InputError, Problem

    if not Output.asks():
        raise InputError(
            Problem(f"{pairs} pairs would be removed for good", fix="add --yes to do it")
        )
    if not Output.confirm(f"Remove {pairs} pairs for good?"):
        raise typer.Exit(2)


def check(
    repair: Annotated[
        bool, typer.Option("--repair", help="Delete files that no pair shows.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Read the whole store and find what is missing, changed or orphaned."""
    from kolm_cli.capture.check import check as look
    from kolm_cli.capture.check import remove_orphans
    from kolm_cli.capture.proxy.calls import CallReader
    from kolm_cli.capture.proxy.fetch import Fetcher
    from kolm_cli.capture.proxy.recorder import recover
    from kolm_cli.capture.proxy.set_aside import SetAside
    from kolm_cli.capture.store import Store
    from kolm_cli.cli.live import progress_for
    from kolm_cli.core.errors import ExitCode

    output = Output(as_json=as_json)
    with Store.open() as store:
        # What a proxy that was killed had no time to store.
        recovered = recover(store, CallReader(Fetcher()))
        with progress_for(output, brief=True) as progress:
            report = look(store, progress)
        aside = SetAside(store.home).count()
        removed = remove_orphans(store, report.orphaned) if repair else None
    if recovered:
        output.note(f"stored {recovered} calls that a killed proxy had left in its spool")
    if as_json:
        output.json(
            {
                **report.as_json(),
                "recovered": recovered,
                "set_aside": aside,
                "removed": removed.images if removed else 0,
            }
        )
    else:
        for word, found in (
            ("database", report.database),
            ("missing", report.missing),
            ("changed", report.changed),
            ("altered pair", report.altered),
            ("orphaned", report.orphaned),
        ):
            for item in found:
                output.data(f"{word}: {item}")
        state = "sound" if report.sound else "damaged"
        output.data(f"{report.pairs} pairs, {report.images} images: {state}")
        if removed:
            output.data(f"deleted {removed.images} orphaned files")
    if aside:
        output.note(f"{aside} recorded calls are set aside; kolm capture calls lists them")
    if report.orphaned and not repair:
        output.note("kolm capture check --repair deletes orphaned files")
    if report.missing or report.changed:
        output.note(
            "importing the same file again puts missing images back; "
            "kolm capture rm --image SHA256 removes the pairs"
        )
    if not report.sound:
        raise typer.Exit(int(ExitCode.VERIFICATION))


def export(
    namespace: Annotated[str, typer.Argument(metavar="NS[@SPLIT]")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file or folder to write.")],
    format: Annotated[
        str,
        typer.Option(
            "--format",
            help="rows, trl-messages, trl-prompt, openai-finetune, openai-chat, anthropic, "
            "sharegpt, json, csv, parquet, imagefolder, sidecar or webdataset.",
        ),
    ] = "rows",
    accepted: Annotated[bool, typer.Option("--accepted", help="Accepted pairs only.")] = False,
    embed: Annotated[
        bool, typer.Option("--embed", help="Put images into the rows as data URIs.")
    ] = False,
    lossy: Annotated[
        bool, typer.Option("--lossy", help="Leave out what the format has no place for.")
    ] = False,
    since: options.Since = None,
    until: options.Until = None,
    model: options.Model = None,
    tag: options.Tag = None,
    text: options.Says = None,
    review: options.Review = None,
    source: options.Source = None,
    image: options.Image = None,
    as_json: options.Json = False,
) -> None:
    """Write a namespace's pairs for other programs; rejected ones stay, unless asked for."""
    from dataclasses import replace

    from kolm_cli.capture.exporting import Selection
    from kolm_cli.capture.exporting import export as write
    from kolm_cli.capture.split import parse_reference
    from kolm_cli.capture.store import Store
    from kolm_cli.cli.live import progress_for
    from kolm_cli.core.errors import InputError, Problem

    if accepted and review:
        raise InputError(Problem("--accepted and --review exclude each other", fix="keep one"))
    wanted = options.make_filter(
        since, until, model, tag, text, "accepted" if accepted else review, source, image
    )
    if wanted.review is None:
        wanted = replace(wanted, usable=True)
    name, split = parse_reference(namespace)
    output = Output(as_json=as_json)
    with Store.open() as store, progress_for(output, brief=True) as progress:
        report = write(
            store,
            Selection(name, split, matching=wanted),
            out,
            format,
            embed=embed,
            lossy=lossy,
            progress=progress,
        )
    if as_json:
        output.json({"pairs": report.pairs, "out": str(report.out), "format": report.format})
    else:
        output.data(f"wrote {report.pairs} pairs to {report.out} ({report.format})")
