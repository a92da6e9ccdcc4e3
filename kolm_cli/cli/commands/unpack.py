"""`kolm unpack`: the files of a bundle, hashed while they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolm_cli.cli.bundle_options import (
    AllowUntrustedOption,
    BundleArgument,
    CidOption,
    TrustOption,
)
from kolm_cli.cli.output import Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("unpack")(unpack_command)


def unpack_command(
    bundle: BundleArgument,
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.", show_default=False)],
    trust: TrustOption = None,
    allow_untrusted: AllowUntrustedOption = False,
    cid: CidOption = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Verify a bundle and unpack it into a private folder, in one pass."""
    from kolm_cli.bundle.container.unpack import unpack
    from kolm_cli.bundle.trust.file import load_policy
    from kolm_cli.registry.bundle_file import bundle_file

    policy = load_policy(trust)
    with bundle_file(bundle) as path:
        report = unpack(path, folder, trust=policy, allow_untrusted=allow_untrusted, cid=cid)
    output = Output(as_json=json)
    if json:
        output.json({"folder": str(folder), "state": report.state, "cid": report.cid})
    else:
        output.data(f"{folder}: {report.cid} ({report.state})")
