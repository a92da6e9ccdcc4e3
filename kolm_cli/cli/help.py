"""How `--help` looks: commands under titles, no summary cut, examples at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from kolm_cli.cli.catalog import COMMANDS
from kolm_cli.cli.examples import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typer.models import CommandInfo, TyperInfo

# Longer than any first sentence: what does not fit into a line goes on in the next.
_WHOLE = 1000


class TitledGroup(TyperGroup):
    """A group whose help lists its commands under the titles that they were given."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Each command with the first sentence of its help, whole."""
        titles: dict[str, list[tuple[str, str]]] = {title: [] for title in COMMANDS}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                title = getattr(command, "rich_help_panel", None) or "Commands"
                titles.setdefault(title, []).append((name, command.get_short_help_str(_WHOLE)))
        width = max((len(name) for rows in titles.values() for name, _ in rows), default=0)
        for title, rows in titles.items():
            if not rows:
                continue
            with formatter.section(title):
                # The same first column under every title.
                formatter.write_dl([(name.ljust(width), summary) for name, summary in rows])


def add_examples(app: typer.Typer, prefix: str = "") -> None:
    """Give every command its examples, and every group the same look."""
    for command in app.registered_commands:
        name = f"{prefix}{command.name}"
        command.epilog = as_text(name) or command.epilog
    for group in app.registered_groups:
        if not (isinstance(group.cls, type) and issubclass(group.cls, TitledGroup)):
            group.cls = TitledGroup
        if group.typer_instance is not None:
            add_examples(group.typer_instance, f"{prefix}{group.name} ")


def put_under(title: str, infos: Iterable[CommandInfo | TyperInfo]) -> None:
    """List these commands and groups under a title."""
    for info in infos:
        info.rich_help_panel = title
