"""`kolm pull`: a bundle out of a registry, verified."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolm_cli.cli.bundle_options import AllowUntrustedOption, TrustOption
from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.output import Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("pull")(pull_command)


def pull_command(
    reference: Annotated[
        str,
        typer.Argument(
            help="NAME:TAG, a CID, NAME@sha256:…, or oci://HOST/REPO:TAG.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; else {name}.kolm, here.")
    ] = None,
    trust: TrustOption = None,
    allow_untrusted: AllowUntrustedOption = False,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="Speak http with a host that is not this one.")
    ] = False,
    progress: ProgressOption = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Write a bundle to a file, byte for byte as it was pushed, if it verifies."""
    from kolm_cli.bundle.trust.file import load_policy
    from kolm_cli.core.files import require_writable
    from kolm_cli.registry.transfer import pull

    if out is not None:
        require_writable(out)
    policy = load_policy(trust)
    output = Output(as_json=json)
    with progress_for(output, progress) as shown:
        done = pull(
            reference,
            out,
            policy,
            shown,
            allow_untrusted=allow_untrusted,
            plain_http=plain_http,
        )
    if json:
        output.json(
            {"path": str(done.path), "cid": done.cid, "digest": done.digest, "state": done.state}
        )
    else:
        output.data(f"bundle  {done.path}")
        output.data(f"cid     {done.cid}")
        output.data(f"digest  {done.digest}")
        output.data(f"state   {done.state}")
