"""`kolm export`: a bundle in a form that other programs serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kolm_cli.cli.bundle_options import (
    AllowUntrustedOption,
    BaseOption,
    BundleArgument,
    CidOption,
    TrustOption,
)
from kolm_cli.cli.commands.parity import show
from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode, LackingError, Problem

if TYPE_CHECKING:
    from kolm_cli.parity.programs import Program


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export_command)


def export_command(
    bundle: BundleArgument,
    out: Annotated[Path, typer.Argument(help="A new or empty folder.", show_default=False)],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="FORMAT", help="merged, peft, vllm, gguf, ollama or gguf-lora."
        ),
    ],
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype", help="Type of the weights, instead of what the bundle was scored in."
        ),
    ] = None,
    base: BaseOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Start a server on it, and compare its answers.")
    ] = False,
    check_with: Annotated[
        str, typer.Option("--check-with", help="vllm or transformers; the first there is.")
    ] = "",
    trust: TrustOption = None,
    allow_untrusted: AllowUntrustedOption = False,
    cid: CidOption = None,
    progress: ProgressOption = None,
    json: JsonOption = False,
) -> None:
    """Write a bundle as a folder that vLLM, transformers or PEFT serve.

    --check asks a server the evaluation pack, as `kolm parity` does, and exits with 3 without it.
    """
    from kolm_cli.bundle.trust.file import load_policy
    from kolm_cli.pipeline.bundle_use import Demands
    from kolm_cli.pipeline.export import export_bundle
    from kolm_cli.registry.bundle_file import bundle_file

    output = Output(as_json=json)
    demands = Demands(load_policy(trust), allow_untrusted, cid)
    program = _program(to, check_with) if check or check_with else None
    found = None
    with progress_for(output, progress) as shown, bundle_file(bundle) as path:
        done = export_bundle(
            path, out, to=to, dtype=dtype, base=base, force=force, demands=demands, progress=shown
        )
        if program is not None:
            from kolm_cli.parity.check_export import check_export

            found = check_export(path, out, program, base=base, demands=demands, progress=shown)
    if json:
        checked = {} if found is None else {"parity": found.as_json()}
        output.json({**done.as_json(), **checked})
    else:
        output.data(f"{done.folder}: {done.manifest.to} of {done.manifest.cid}")
        output.data(f"dtype   {done.manifest.dtype}")
        output.data(f"digest  sha256:{done.manifest.digest}")
        if found is not None:
            show(output, found)
    if found is not None and not found.passed:
        output.note("no parity: " + "; ".join(found.failed()))
        raise typer.Exit(int(ExitCode.GATE))


def _program(to: str, wanted: str) -> Program:
    """The server that an export is checked with; said to be missing before anything is written."""
    try:
        from kolm_cli.parity.programs import program_for
    except ImportError as error:
        raise LackingError(
            Problem(f"asking a server needs the package {error.name}", "--check"),
            hint="pip install 'kolm-cli[parity]'",
        ) from error
    return program_for(to, wanted)
