"""`kolm capture`: bring pairs in, look at them, take them out."""

from __future__ import annotations

import typer

from kolm_cli.cli.commands import capture_add, capture_keep, capture_look, capture_serve


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    capture = typer.Typer(
        help="Capture image-prompt-response pairs: import, look, review, remove.",
        no_args_is_help=True,
    )
    capture.command("add")(capture_add.add)
    capture.command("import")(capture_add.import_file)
    capture.command("ls")(capture_look.ls)
    capture.command("show")(capture_look.show)
    capture.command("stats")(capture_look.stats)
    capture.command("rm")(capture_keep.rm)
    capture.command("check")(capture_keep.check)
    capture.command("export")(capture_keep.export)
    capture.command("proxy")(capture_serve.proxy)
    capture.command("review")(capture_serve.review)
    app.add_typer(capture, name="capture")
