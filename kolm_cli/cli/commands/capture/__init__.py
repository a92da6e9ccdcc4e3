"""`kolm capture`: bring pairs in, look at them, take them out."""

from __future__ import annotations

import typer

from kolm_cli.cli.commands.capture import add, calls, keep, look, serve


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    capture = typer.Typer(
        help="Capture image-prompt-response pairs: import, look, review, remove.",
        no_args_is_help=True,
    )
    capture.command("add")(add.add)
    capture.command("import")(add.import_file)
    capture.command("ls")(look.ls)
    capture.command("show")(look.show)
    capture.command("stats")(look.stats)
    capture.command("rm")(keep.rm)
    capture.command("check")(keep.check)
    capture.command("calls")(calls.calls)
    capture.command("export")(keep.export)
    capture.command("proxy")(serve.proxy)
    capture.command("review")(serve.review)
    app.add_typer(capture, name="capture")
