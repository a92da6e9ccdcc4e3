"""`kolm push`: a bundle into the local registry, or into one elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from kolm_cli.cli.bundle_options import BundleArgument
from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.output import Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("push")(push_command)


def push_command(
    bundle: BundleArgument,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME:TAG", help="Or oci://HOST/REPO:TAG, elsewhere."),
    ] = None,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="Speak http with a host that is not this one.")
    ] = False,
    progress: ProgressOption = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Store a bundle under its CID, and under NAME:TAG when that is given."""
    from kolm_cli.registry.transfer import push

    output = Output(as_json=json)
    with progress_for(output, progress) as shown:
        done = push(bundle, name, shown, plain_http=plain_http)
    if json:
        output.json(done.as_json())
        return
    output.data(f"cid     {done.cid}")
    output.data(f"digest  {done.digest}")
    for ref in done.refs:
        output.data(f"stored  {ref}")
    output.note(f"{done.written} blobs written, {done.present} were there")
