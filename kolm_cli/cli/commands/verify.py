"""`kolm verify`."""

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("verify")
    def verify() -> None:
        """To be replaced."""
