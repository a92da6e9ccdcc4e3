"""`kolm serve`: an OpenAI-compatible endpoint for a try-out."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from kolm_cli.cli.bundle_options import AllowUntrustedOption, BaseOption, DeviceOption, TrustOption
from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    bundles: Annotated[
        list[str],
        typer.Argument(
            metavar="BUNDLE",
            help="Bundles of one base: .kolm files, NAME:TAG, NAME or CIDs.",
            show_default=False,
        ),
    ],
    host: Annotated[
        str, typer.Option("--host", help="Bind to this address; beyond loopback needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help="The token, instead of KOLM_SERVE_TOKEN."),
    ] = None,
    base: BaseOption = None,
    device: DeviceOption = None,
    trust: TrustOption = None,
    allow_untrusted: AllowUntrustedOption = False,
    progress: ProgressOption = None,
    json: JsonOption = False,
) -> None:
    """Answer OpenAI's chat API with the adapters of bundles, for a try-out.

    One request at a time. For production, serve with vLLM.
    """
    from kolm_cli.bundle.trust.file import load_policy
    from kolm_cli.core.errors import LackingError, Problem
    from kolm_cli.pipeline.bundle_use import Demands
    from kolm_cli.registry.bundle_file import bundle_file

    try:
        from kolm_cli.serving.access import Access, read_token
        from kolm_cli.serving.server import Place, address_of, listen
        from kolm_cli.serving.server import serve as serve_forever
    except ImportError as error:
        raise LackingError(
            Problem(f"the server needs the package {error.name}"),
            hint="pip install 'kolm-cli[serve]'",
        ) from error
    from kolm_cli.serving.bundles import loaded

    output = Output(as_json=json)
    place = Place(host, port)
    access = Access(host, read_token(token_file))
    demands = Demands(load_policy(trust), allow_untrusted)
    with contextlib.ExitStack() as stack:
        # Taken first: a port that is taken is said before minutes of loading.
        listener = stack.enter_context(contextlib.closing(listen(place)))
        shown = progress_for(output, progress)
        with shown:
            paths = [stack.enter_context(bundle_file(each)) for each in bundles]
            ready = stack.enter_context(
                loaded(paths, base=base, device=device, demands=demands, progress=shown)
            )
        if json:
            output.json_line({"url": address_of(listener), "models": list(ready.names)})
        else:
            output.data(address_of(listener), flush=True)
            output.note(f"models: {', '.join(ready.names)}")
            output.note(
                "One request at a time, for a try-out: vLLM is for production. Ctrl-C ends."
            )
        serve_forever(ready.served, ready.shelf, access, listener)
