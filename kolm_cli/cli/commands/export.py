"""`kolm export`: a bundle in a form that other programs serve."""

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
from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export_command)


def export_command(
    bundle: BundleArgument,
    out: Annotated[Path, typer.Argument(help="A new or empty folder.", show_default=False)],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="merged, peft or vllm.")],
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype", help="Type of the weights, instead of what the bundle was scored in."
        ),
    ] = None,
    base: Annotated[
        Path | None, typer.Option("--base", help="Where a local base is, if not where it was.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    trust: TrustOption = None,
    allow_untrusted: AllowUntrustedOption = False,
    cid: CidOption = None,
    progress: ProgressOption = None,
    json: JsonOption = False,
) -> None:
    """Write a bundle as a folder that vLLM, transformers or PEFT serve."""
    from kolm_cli.bundle.trust.file import load_policy
    from kolm_cli.pipeline.bundle_use import Demands
    from kolm_cli.pipeline.export import export_bundle
    from kolm_cli.registry.bundle_file import bundle_file

    output = Output(as_json=json)
    demands = Demands(load_policy(trust), allow_untrusted, cid)
    with progress_for(output, progress) as shown, bundle_file(bundle) as path:
        done = export_bundle(
            path, out, to=to, dtype=dtype, base=base, force=force, demands=demands, progress=shown
        )
    if json:
        output.json(done.as_json())
        return
    output.data(f"{done.folder}: {done.manifest.to} of {done.manifest.cid}")
    output.data(f"dtype   {done.manifest.dtype}")
    output.data(f"digest  sha256:{done.manifest.digest}")
