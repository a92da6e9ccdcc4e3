"""How `--help` looks: commands under titles, plain words for values, examples at the end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from kolm_cli.cli.catalog import COMMANDS
from kolm_cli.cli.examples import as_text
from kolm_cli.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typer.models import CommandInfo, TyperInfo

# Longer than any first sentence: what does not fit into a line goes on in the next.
_WHOLE = 1000
# Typer's names of what an option takes -> what a person calls it.
_VALUES = {
    "str": "TEXT",
    "path": "PATH",
    "int": "N",
    "int range": "N",
    "float": "NUMBER",
    "float range": "NUMBER",
    "list[str]": "TEXT",
    "list[Path]": "PATH",
}


class _Told:
    """Prints its help as commands print their results: a reader may leave early."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.callback = _tell
        return option


def _tell(ctx: Any, _: Any, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        Output().data(ctx.get_help())
        raise typer.Exit


class PlainCommand(_Told, TyperCommand):
    """A command whose help says what a value is without the names of Python's types."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for param in self.params:
            if param.param_type_name == "argument" and param.metavar is None:
                param.metavar = param.name.upper()

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`BUNDLE [DIR]`, as other programs write it."""
        pieces = super().collect_usage_pieces(ctx)
        return [piece.replace("{", "").replace("}", "") for piece in pieces]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The arguments, then the options."""
        arguments: list[tuple[str, str]] = []
        options: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None:
                continue
            name, text = record
            if param.param_type_name == "argument":
                arguments.append((re.sub(r" <[^>]*>$", "", name), text))
            else:
                options.append((re.sub(r"<([^>]*)>", _value, name), text))
        for title, rows in (("Arguments", arguments), ("Options", options)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _value(match: re.Match[str]) -> str:
    """Choices are given as they are."""
    return _VALUES.get(match[1], match[0])


class TitledGroup(_Told, TyperGroup):
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
    """Give every command its examples, and everything the same look."""
    for command in app.registered_commands:
        name = f"{prefix}{command.name}"
        command.epilog = as_text(name) or command.epilog
        command.cls = PlainCommand
    for group in app.registered_groups:
        if not (isinstance(group.cls, type) and issubclass(group.cls, TitledGroup)):
            group.cls = TitledGroup
        if group.typer_instance is not None:
            add_examples(group.typer_instance, f"{prefix}{group.name} ")


def put_under(title: str, infos: Iterable[CommandInfo | TyperInfo]) -> None:
    """List these commands and groups under a title."""
    for info in infos:
        info.rich_help_panel = title
