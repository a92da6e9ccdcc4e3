"""The catalog of commands, under the titles and in the order in which `kolm --help` lists them.

To add a command: a module in `commands/` with `register(app)`, its name here under a title, and two
examples in `examples.py`. Command modules import only what is quick; slow libraries are loaded
when the command runs.
"""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, ...]] = {
    "Start": ("init", "demo", "families", "doctor"),
    "Capture": ("capture",),
    "Train": ("validate", "plan", "compile", "loop"),
    "Use": ("evaluate", "run", "export", "serve", "parity"),
    "Check": ("verify", "receipt", "report", "diff", "unpack"),
    "Sign and trust": ("sign", "keys", "trust"),
    "Share": ("publish", "push", "pull", "registry", "log"),
}
