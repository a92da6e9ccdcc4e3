"""The catalogue of commands, in the order in which `kolm --help` lists them.

To add a command: a module in `commands/` with `register(app)`, and a line here.
Command modules import only what is quick; slow libraries are loaded when the command runs.
"""

from __future__ import annotations

COMMANDS: tuple[str, ...] = (
    "kolm_cli.cli.commands.init",
    "kolm_cli.cli.commands.capture",
    "kolm_cli.cli.commands.families",
    "kolm_cli.cli.commands.validate",
    "kolm_cli.cli.commands.compile",
    "kolm_cli.cli.commands.evaluate",
    "kolm_cli.cli.commands.verify",
    "kolm_cli.cli.commands.receipt",
    "kolm_cli.cli.commands.unpack",
    "kolm_cli.cli.commands.sign",
    "kolm_cli.cli.commands.keys",
    "kolm_cli.cli.commands.trust",
    "kolm_cli.cli.commands.push",
    "kolm_cli.cli.commands.pull",
    "kolm_cli.cli.commands.diff",
    "kolm_cli.cli.commands.registry",
    "kolm_cli.cli.commands.demo",
)
