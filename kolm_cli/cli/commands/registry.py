"""`kolm ls`, `tag`, `rm`, `gc` and `registry check`: the local registry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from kolm_cli.cli.commands.log import gate, share
from kolm_cli.cli.figures import age, size
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode

if TYPE_CHECKING:
    from kolm_cli.registry.index import StoredBundle
    from kolm_cli.registry.scores import Scores

Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Reference = Annotated[
    str, typer.Argument(help="NAME:TAG, a CID or NAME@sha256:….", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ls")(ls_command)
    app.command("tag")(tag_command)
    app.command("rm")(rm_command)
    app.command("gc")(gc_command)
    group = typer.Typer(help="The local registry as a whole.", no_args_is_help=True)
    group.command("check")(check_command)
    app.add_typer(group, name="registry")


def ls_command(
    name: Annotated[str | None, typer.Argument(help="Only this NAME or NAME:TAG.")] = None,
    json: Json = False,
) -> None:
    """List the bundles in the local registry."""
    from kolm_cli.registry.scores import read_scores
    from kolm_cli.registry.store import Registry

    registry = Registry()
    entries = registry.entries()
    if name is not None:
        entries = [e for e in entries if name in (e.tag, e.tag.partition(":")[0], e.name, e.cid)]
    output = Output(as_json=json)
    scores = [read_scores(registry, entry) for entry in entries]
    if json:
        output.json([{**e.as_json(), **asdict(s)} for e, s in zip(entries, scores, strict=True)])
    elif entries:
        rows = [_row(e, s) for e, s in zip(entries, scores, strict=True)]
        header = ("NAME:TAG", "CID", "ACCURACY", "K", "GATE", "AGE", "SIZE", "FROM")
        output.table(header, rows)
    else:
        output.note("The registry holds nothing of the kind; `kolm push BUNDLE` stores a bundle.")


def _row(entry: StoredBundle, scores: Scores) -> tuple[str, ...]:
    stored = datetime.fromisoformat(entry.stored) if entry.stored else datetime.now(UTC)
    return (
        entry.tag or f"({entry.name})",
        entry.cid,
        share(scores.accuracy),
        share(scores.k),
        gate(scores.gate_passed),
        age((datetime.now(UTC) - stored).total_seconds()),
        size(entry.bytes),
        f"{scores.parent[:14]}…" if scores.parent else "base",
    )


def tag_command(
    reference: Reference,
    tag: Annotated[str, typer.Argument(metavar="NAME:TAG", show_default=False)],
    json: Json = False,
) -> None:
    """Give a stored bundle another name; an existing name moves."""
    from kolm_cli.registry.index import named
    from kolm_cli.registry.names import parse_tag
    from kolm_cli.registry.store import Registry

    registry = Registry()
    entry = registry.tag(named(registry.index(), reference), parse_tag(tag))
    output = Output(as_json=json)
    if json:
        output.json({"ref": tag, "cid": entry.cid, "digest": entry.digest})
    else:
        output.data(f"{tag}: {entry.cid}")


def rm_command(
    reference: Reference,
    force: Annotated[
        bool, typer.Option("--force", help="Remove a bundle together with its tags.")
    ] = False,
    json: Json = False,
) -> None:
    """Take a tag away, or (by CID or digest) a bundle; `kolm gc` then frees the space."""
    from kolm_cli.registry.names import parse_local
    from kolm_cli.registry.store import Registry

    gone = Registry().remove(parse_local(reference), force=force)
    output = Output(as_json=json)
    if json:
        output.json({"removed": [{**entry.as_json(), "ref": entry.tag or None} for entry in gone]})
    else:
        for entry in gone:
            output.data(f"{entry.tag or entry.digest}: {entry.cid}")


def gc_command(
    untagged: Annotated[
        bool, typer.Option("--untagged", help="Also remove every bundle that no tag names.")
    ] = False,
    runs: Annotated[
        int | None,
        typer.Option(
            "--runs",
            metavar="DAYS",
            min=0,
            help="Also remove training runs untouched for so many days; bundles stay.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    json: Json = False,
) -> None:
    """Free the space of what was removed. Safe while other commands run."""
    from kolm_cli.pipeline.old_runs import remove_runs
    from kolm_cli.registry.collect import collect
    from kolm_cli.registry.store import Registry

    done = collect(Registry(), untagged=untagged, dry_run=dry_run)
    tidied = None if runs is None else remove_runs(days=runs, dry_run=dry_run)
    output = Output(as_json=json)
    if json:
        report = {**asdict(done), "dry_run": dry_run}
        output.json(report if tidied is None else {**report, "runs": asdict(tidied)})
        return
    for cid in sorted({*done.forgotten, *done.removed}):
        output.data(f"removed {cid}" if not dry_run else f"would remove {cid}")
    verb = "would be freed" if dry_run else "freed"
    output.data(f"{done.blobs} blobs, {size(done.bytes)} {verb}; {done.kept} kept")
    if tidied is not None:
        output.data(f"{len(tidied.runs)} runs, {size(tidied.bytes)} {verb}")


def check_command(json: Json = False) -> None:
    """Read everything that is stored, and say what is wrong; exit 4 when something is."""
    from kolm_cli.cli.live import progress_for
    from kolm_cli.registry.check import check
    from kolm_cli.registry.store import Registry

    output = Output(as_json=json)
    with progress_for(output) as progress:
        found = check(Registry(), progress)
    if json:
        output.json({"ok": not found.problems, **asdict(found)})
    else:
        for line in _lines(found.cids, "ok"):
            output.data(line)
        for problem in found.problems:
            output.data(f"FAILED {problem}")
        output.data(f"{found.blobs} blobs, {size(found.bytes)}; {len(found.problems)} problems")
        if found.superfluous or found.abandoned:
            output.note(
                f"{found.superfluous} blobs are not needed, {found.abandoned} commands were"
                " killed: `kolm gc` tidies up"
            )
    if found.problems:
        raise typer.Exit(int(ExitCode.VERIFICATION))


def _lines(cids: Iterable[str], word: str) -> list[str]:
    return [f"{word:<6} {cid}" for cid in cids]
