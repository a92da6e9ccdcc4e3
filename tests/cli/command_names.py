"""The names of all commands."""

from __future__ import annotations

from typer.main import get_command

from kolm_cli.cli.app import build_app


def command_names() -> list[str]:
    root = get_command(build_app())
    names = [""]
    for name, command in sorted(root.commands.items()):  # type: ignore[attr-defined]
        names.append(name)
        names += [f"{name} {inner}" for inner in sorted(getattr(command, "commands", {}))]
    return names


def leaf_commands() -> list[str]:
    """The commands that do something: not the root, and no group."""
    names = command_names()
    return [n for n in names if n and not any(other.startswith(f"{n} ") for other in names)]
