"""`kolm capture add` and `kolm capture import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolm_cli.cli.column_options import ColumnOption, FixedOption, columns_from
from kolm_cli.cli.commands.capture.options import Json
from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.output import Output

To = Annotated[str, typer.Option("--to", metavar="NS", help="The namespace to add to.")]


def add(
    to: To,
    prompt: Annotated[str, typer.Option("--prompt", help="The question.")],
    response: Annotated[str, typer.Option("--response", help="The answer to learn.")],
    image: Annotated[
        list[Path] | None, typer.Option("--image", help="An image; repeat for several.")
    ] = None,
    system: Annotated[str, typer.Option("--system", help="A system prompt.")] = "",
    model: Annotated[str, typer.Option("--model", help="Who gave the answer.")] = "",
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A tag; repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """Add one pair."""
    from kolm_cli.capture.store import Store
    from kolm_cli.core import digests
    from kolm_cli.core.errors import Problem, raise_if_any
    from kolm_cli.formats.shapes import markers
    from kolm_cli.records.conversation import Conversation
    from kolm_cli.records.images import read_image_file
    from kolm_cli.records.pictures import ImageError, inspect

    problems: list[Problem] = []
    images: dict[str, bytes] = {}
    shown: list[str] = []
    for path in image or []:
        try:
            data = read_image_file(path)
            inspect(data)
        except ImageError as error:
            problems.append(Problem(str(error), where=str(path)))
        else:
            shown.append(digests.sha256_bytes(data))
            images[shown[-1]] = data
    for name, text in (("--prompt", prompt), ("--response", response)):
        if not text.strip():
            problems.append(Problem("is empty", name, "write a text"))
    if wrong := markers.mismatch(markers.count(prompt), len(image or [])):
        problems.append(Problem(wrong, "--prompt", markers.FIX))
    raise_if_any(problems)
    conversation = Conversation.asking(markers.asked(prompt, shown), response, system)
    with Store.open() as store:
        added = store.add(
            to, conversation, images, source="add", model=model, tags=tuple(tag or [])
        )
    output = Output(as_json=as_json)
    if as_json:
        output.json({"namespace": to, "id": added.id, "digest": added.digest, "new": added.new})
    elif added.new:
        output.data(f"added pair {added.id} to {to}")
    else:
        output.data(f"nothing added: {to} holds this pair already, as {added.id}")


def import_file(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A file or a folder.")],
    to: To,
    format: Annotated[
        str | None, typer.Option("--format", help="Its format; recognized if left out.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", help="The folder that image paths in FILE start from."),
    ] = None,
    column: ColumnOption = None,
    fixed: FixedOption = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="A tag for every pair; repeatable.")
    ] = None,
    skip_bad: Annotated[
        Path | None,
        typer.Option(
            "--skip-bad",
            metavar="LIST",
            help="Leave out rows that cannot be read, and list them in this file.",
        ),
    ] = None,
    strip_metadata: Annotated[
        bool,
        typer.Option(
            "--strip-metadata",
            help="Keep only the pixels of each image: EXIF, location, comments go.",
        ),
    ] = False,
    confine: Annotated[
        bool,
        typer.Option(
            "--confine",
            help="Refuse images outside the folder of FILE (or of --images); for strangers' data.",
        ),
    ] = False,
    progress: ProgressOption = None,
    as_json: Json = False,
) -> None:
    """Import pairs from a file or a folder; nothing is kept unless every row can be read."""
    from kolm_cli.capture.importing import import_path
    from kolm_cli.capture.store import Store

    output = Output(as_json=as_json)
    columns = columns_from(column, fixed)
    with progress_for(output, progress, brief=True) as shown, Store.open() as store:
        report = import_path(
            store,
            path,
            to,
            format=format,
            images=images,
            tags=tuple(tag or []),
            skip_bad=skip_bad,
            strip=strip_metadata,
            confine=confine,
            columns=columns,
            progress=shown,
        )
    output.note(f"format: {report.format}" + ("" if format else " (recognized)"))
    for key, rows in sorted(report.foreign.items()):
        output.note(f"note: the key {key!r} ({rows} rows) is unknown to kolm and not kept")
    for note in report.notes:
        output.note(f"note: {note}")
    if report.outside:
        folder = report.folder.rstrip("/") or "/"
        output.note(f"note: {report.outside} images outside {folder}/; --confine refuses such")
    if skip_bad is not None:
        output.note(f"{report.skipped} rows left out, listed in {skip_bad}")
    if as_json:
        output.json(report.as_json())
        return
    text = f"{path.name}: {report.rows} rows, {report.added} new pairs in {to}"
    if report.known:
        text += f", {report.known} already there"
    output.data(text if report.added else f"{text}: nothing added")
