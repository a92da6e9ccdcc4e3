"""`kolm unpack`: the files of a bundle, hashed while they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolm_cli.cli.output import Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("unpack")(unpack_command)


def unpack_command(
    bundle: Annotated[Path, typer.Argument(help="The .kolm file.", show_default=False)],
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.", show_default=False)],
    trust: Annotated[
        Path | None, typer.Option("--trust", help="A trust file, instead of your own.")
    ] = None,
    allow_untrusted: Annotated[
        bool, typer.Option("--allow-untrusted", help="Unpack what is intact, whoever signed.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Verify a bundle and unpack it into a private folder, in one pass."""
    from kolm_cli.bundle.container.unpack import unpack
    from kolm_cli.bundle.trust.file import load_policy

    report = unpack(bundle, folder, trust=load_policy(trust), allow_untrusted=allow_untrusted)
    output = Output(as_json=json)
    if json:
        output.json({"folder": str(folder), "state": report.state, "cid": report.cid})
    else:
        output.data(f"{folder}: {report.cid} ({report.state})")
