"""`kolm parity`: does a server answer as the bundle did?"""

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
from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode

if TYPE_CHECKING:
    from kolm_cli.parity.report import ParityReport

_MARKS = {True: "ok", False: "FAILED", None: "-"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("parity")(parity)


def parity(
    bundle: BundleArgument,
    server: Annotated[
        str, typer.Option("--server", metavar="URL", help="The server: http://127.0.0.1:8000")
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model", metavar="NAME", help="What to ask; of several the CID, or the bundle's name."
        ),
    ] = "",
    min_agreement: Annotated[
        float | None,
        typer.Option(
            "--min-agreement",
            min=0,
            max=1,
            help="Share of equal answers. Default: 1 in fp32, 0.97 in bf16 and fp16, else 0.95.",
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="DIR", help="What it serves, from `kolm export`."),
    ] = None,
    pack: Annotated[
        str | None,
        typer.Option("--pack", metavar="SOURCE", help="The bundle's own rows, if not here."),
    ] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, help="Ask only so many of them.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help="The server's key, instead of KOLM_SERVER_TOKEN."),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, max=3600, help="Seconds for one answer.")
    ] = 120,
    parallel: Annotated[
        int, typer.Option("--parallel", min=1, max=64, help="Requests under way at once.")
    ] = 4,
    sign: Annotated[
        bool, typer.Option("--sign", help="Sign a run that passed into the bundle.")
    ] = False,
    key: Annotated[
        str | None,
        typer.Option("--key", help="With --sign: one of `kolm keys list`, not the default."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="With --sign: where the bundle goes, instead of in place."),
    ] = None,
    base: BaseOption = None,
    trust: TrustOption = None,
    allow_untrusted: AllowUntrustedOption = False,
    cid: CidOption = None,
    progress: ProgressOption = None,
    json: JsonOption = False,
) -> None:
    """Ask a server the bundle's evaluation pack, and compare the answers row by row.

    The server answers OpenAI's chat API. Exits with 3 when fewer answers are equal than asked for,
    or when a check fails.
    """
    from kolm_cli.bundle.trust.file import load_policy
    from kolm_cli.cli.signer import load_signer
    from kolm_cli.core.errors import InputError, LackingError, Problem
    from kolm_cli.core.files import require_writable
    from kolm_cli.pipeline.bundle_use import Demands
    from kolm_cli.registry.bundle_file import bundle_file

    try:
        from kolm_cli.parity.client import read_token, root_of
        from kolm_cli.parity.measure import Asking, measure
    except ImportError as error:
        raise LackingError(
            Problem(f"asking a server needs the package {error.name}"),
            hint="pip install 'kolm-cli[parity]'",
        ) from error

    for name, given in (("--key", key), ("--out", out)):
        if given is not None and not sign:
            raise InputError(Problem("has no effect without --sign", name, "leave it out"))
    if sign and rows is not None:
        raise InputError(Problem("--rows and --sign exclude each other", "", "leave --rows out"))
    signer = load_signer(key) if sign else None
    if out is not None:
        require_writable(out)
    output = Output(as_json=json)
    asking = Asking(
        url=root_of(server),
        token=read_token(token_file),
        model=model,
        seconds=timeout,
        parallel=parallel,
        rows=rows,
        demanded=min_agreement,
    )
    demands = Demands(load_policy(trust), allow_untrusted, cid)
    with progress_for(output, progress) as shown, bundle_file(bundle) as path:
        report = measure(
            path, asking, pack=pack, export=export, base=base, demands=demands, progress=shown
        )
    signed: dict[str, str] = {}
    if signer is not None and report.passed:
        from kolm_cli.bundle.signing.sign_parity import sign_parity
        from kolm_cli.parity.attest import signable
        from kolm_cli.registry.sign import attach

        said = signable(report)
        attach(
            bundle, lambda path, to: sign_parity(path, said, signer, cid=report.cid, out=to), out
        )
        signed = {"bundle": str(out or bundle), "signed_by": signer.key_id}
    if json:
        output.json({**report.as_json(), "signed": signed or None})
    else:
        show(output, report)
        if signed:
            output.data(f"signed     {signed['bundle']} by {signed['signed_by']}")
    if not report.passed:
        output.note("no parity: " + "; ".join(report.failed()))
        raise typer.Exit(int(ExitCode.GATE))


def show(output: Output, report: ParityReport) -> None:
    """The report for a person: the rows that differ, the checks, the figures."""
    from kolm_cli.core.printable import one_line

    for row in report.differences:
        output.data(f"differs    {one_line(row.id)}")
        output.data(f"  bundle   {_said(row.bundle)}")
        output.data(f"  server   {one_line(row.error) if row.error else _said(row.server)}")
    output.data(f"cid        {report.cid}")
    output.data(f"server     {one_line(str(report.server))}, model {one_line(report.model)}")
    for side, name in enumerate(("bundle", "server")):
        accuracy, low, high = report.accuracy(side)
        output.data(f"accuracy   {name} {accuracy:.4f}  (95 %: {low:.4f} to {high:.4f})")
    for finding in report.findings:
        output.data(f"{_MARKS[finding.ok]:<10} {finding.name}: {one_line(finding.detail)}")
    output.data(
        f"agreement  {report.agreement:.4f}  ({report.equal} of {report.rows} answers are equal;"
        f" asked for: {report.demanded:.4f} in {report.dtype})"
    )


def _said(text: str | None) -> str:
    from kolm_cli.core.printable import one_line

    return "nothing" if text is None else one_line(repr(text))
