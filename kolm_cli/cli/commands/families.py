"""`kolm families` and `kolm tiny-base`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.names import likely_fix


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("families")(list_families)
    app.command("tiny-base")(tiny_base)


def list_families(
    json: JsonOption = False,
) -> None:
    """List the model families and how well each is supported."""
    from kolm_cli.families.catalog import families
    from kolm_cli.families.support import describe

    output = Output(as_json=json)
    rows = []
    for family in families():
        level, note = describe(family.support)
        rows.append(
            {
                "name": family.name,
                "support": level,
                "note": note,
                "model_types": list(family.model_types),
                "written_for": list(family.written_for),
                "papers": [paper.url for paper in family.papers],
                "vision": list(family.vision),
                "projector": list(family.projector),
                "language": list(family.language),
                "lora_default": list(family.lora_default),
                "takes": vars(family.takes),
            }
        )
    if json:
        output.json(rows)
        return
    for row in rows:
        output.data(f"{row['name']}  {row['support']}")
        if row["note"]:
            output.data(f"    {row['note']}")
        output.data(f"    model types  {', '.join(row['model_types'])}")
        output.data(f"    projector    {', '.join(row['projector']) or 'none'}")
        output.data(f"    written for  {', '.join(row['written_for'])}")


def _list(wanted: bool) -> None:
    from kolm_cli.families.catalog import families
    from kolm_cli.families.tiny.catalog import is_defined

    if wanted:
        Output().data("\n".join(family.name for family in families() if is_defined(family)))
        raise typer.Exit


def tiny_base(
    out: Annotated[Path, typer.Argument(help="The folder to write; must not exist or be empty.")],
    family: Annotated[str, typer.Option("--family", help="A name of `kolm families`.")],
    width: Annotated[int, typer.Option(min=32, help="Width of the language tower.")] = 64,
    layers: Annotated[int, typer.Option(min=1, help="Layers of the language tower.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random weights.")] = 0,
    names: Annotated[
        bool,
        typer.Option("--list", help="Name the families instead.", is_eager=True, callback=_list),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write a random base to smoke-test a spec with.

    It needs no download and no GPU, and has learned nothing.
    """
    from kolm_cli.families.catalog import by_name, families
    from kolm_cli.families.tiny.catalog import makers, write_tiny

    output = Output(as_json=json)
    found = by_name(family)
    if found is None:
        fix = likely_fix(family, [f.name for f in families()])
        raise InputError(Problem(f"there is no family {family!r:.80}", "--family", fix))
    makers(found)
    if width % 32:
        raise InputError(
            Problem(f"{width} is not a multiple of 32", "--width", f"write {width // 32 * 32}")
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            Problem("it exists and is not an empty folder", str(out), "name a new folder")
        )
    from transformers.utils import logging

    logging.disable_progress_bar()
    out.mkdir(parents=True, exist_ok=True)
    write_tiny(found, out, seed=seed, width=width, layers=layers)
    size = sum(path.stat().st_size for path in out.iterdir())
    if json:
        output.json({"family": family, "folder": str(out), "bytes": size})
    else:
        output.data(f"{out}: a random {family} base of {size / 1e6:.1f} MB")
