"""`kolm sign`: a further signature under a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolm_cli.cli.bundle_options import BundleArgument
from kolm_cli.cli.output import Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sign")(sign)


def sign(
    bundle: BundleArgument,
    key: Annotated[
        str | None, typer.Option("--key", help="One of `kolm keys list`, instead of the default.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the result goes, instead of in place.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Verify a bundle and add your signature to it. The CID stays the same.

    A bundle of the registry is stored again with the signature, and its tag moves there.
    """
    from kolm_cli.cli.signer import load_signer
    from kolm_cli.registry.sign import sign as sign_bundle

    signer = load_signer(key)
    report = sign_bundle(bundle, signer, out)
    output = Output(as_json=json)
    if json:
        output.json({"bundle": str(out or bundle), "cid": report.cid, "signed_by": signer.key_id})
    else:
        output.data(f"{out or bundle}: {report.cid} signed by {signer.key_id}")
