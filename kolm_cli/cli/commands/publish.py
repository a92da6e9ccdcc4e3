"""`kolm publish`: a bundle on the Hugging Face hub."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from kolm_cli.cli.bundle_options import (
    AllowUntrustedOption,
    BaseOption,
    BundleArgument,
    CidOption,
    TrustOption,
)
from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("publish")(publish_command)


def publish_command(
    bundle: BundleArgument,
    repository: Annotated[
        str, typer.Argument(metavar="OWNER/NAME", help="On the hub.", show_default=False)
    ],
    to: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help="As in kolm export: peft, merged, vllm.")
    ] = "peft",
    public: Annotated[
        bool, typer.Option("--public", help="A new repository is public, not private.")
    ] = False,
    with_bundle: Annotated[
        bool, typer.Option("--with-bundle", help="The bundle too, for others to verify.")
    ] = False,
    base: BaseOption = None,
    trust: TrustOption = None,
    allow_untrusted: AllowUntrustedOption = False,
    cid: CidOption = None,
    progress: ProgressOption = None,
    json: JsonOption = False,
) -> None:
    """Export a bundle, and upload it with a model card to the Hugging Face hub."""
    from kolm_cli.bundle.trust.file import load_policy
    from kolm_cli.pipeline.bundle_use import Demands
    from kolm_cli.pipeline.publish import publish
    from kolm_cli.registry.bundle_file import bundle_file

    output = Output(as_json=json)
    demands = Demands(load_policy(trust), allow_untrusted, cid)
    with progress_for(output, progress) as shown, bundle_file(bundle) as path:
        done = publish(
            path,
            repository,
            to=to,
            public=public,
            with_bundle=with_bundle,
            base=base,
            demands=demands,
            progress=shown,
        )
    if json:
        output.json(asdict(done))
    else:
        output.data(f"{done.repository}  ({'private' if done.private else 'public'})")
        output.data(f"commit  {done.url}")
        output.data(f"cid     {done.cid}")
