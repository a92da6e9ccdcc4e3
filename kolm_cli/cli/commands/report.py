"""`kolm report`: a bundle as one page that opens anywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from kolm_cli.cli.bundle_options import BundleArgument, TrustOption
from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report_command)


def report_command(
    bundle: BundleArgument,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The page; NAME.html beside you if left out.")
    ] = None,
    previous: Annotated[
        str | None,
        typer.Option(
            "--previous", metavar="BUNDLE", help="To compare with, instead of the one before."
        ),
    ] = None,
    pack: Annotated[
        str | None,
        typer.Option("--pack", metavar="SOURCE", help="Where its evaluation rows are."),
    ] = None,
    rows: Annotated[
        int, typer.Option("--rows", min=0, max=5000, help="At most so many of them.")
    ] = 200,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Leave the pictures of the pack out.")
    ] = False,
    trust: TrustOption = None,
    progress: ProgressOption = None,
    json: JsonOption = False,
) -> None:
    """Write a bundle's verdict, scores, curves and rows as one HTML file."""
    from kolm_cli.bundle.trust.file import load_policy
    from kolm_cli.core.files import expanded, require_writable, write_atomic
    from kolm_cli.pipeline.evaluate import read_pack
    from kolm_cli.registry.bundle_file import bundle_file
    from kolm_cli.report.charts import require_matplotlib
    from kolm_cli.report.facts import gather_facts
    from kolm_cli.report.page import Options, render
    from kolm_cli.report.previous import before, named

    require_matplotlib()
    output = Output(as_json=json)
    policy = load_policy(trust)
    with progress_for(output, progress) as shown, bundle_file(bundle) as path:
        shown.stage("read bundle")
        given = None if pack is None else read_pack(pack)
        facts = gather_facts(path, policy, pack=given)
        facts = replace(facts, previous=named(previous) if previous else before(facts))
        target = expanded(out or f"{facts.name}.html").absolute()
        require_writable(target)
        text = render(facts, Options(rows, not no_pictures), shown)
        write_atomic(target, text.encode())
    if json:
        report = {"report": str(target), "cid": facts.cid, "bytes": len(text.encode())}
        output.json({**report, "state": facts.verdict.state, "pack_here": bool(facts.pack)})
    else:
        output.data(str(target))
