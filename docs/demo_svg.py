"""Draw `docs/demo.svg`: a real run of `kolm demo` in a terminal (tmux), as it looks at the end.

    python docs/demo_svg.py [OUT]

Takes as long as the demo does, some minutes. What the picture says is what the run said.
"""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH, HEIGHT = 112, 60
SESSION = f"kolm-demo-{os.getpid()}"


def tmux(*arguments: str) -> str:
    """Run a tmux command; returns what it prints."""
    done = subprocess.run(["tmux", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def record(folder: Path) -> str:
    """What the terminal shows when the demo is over, with its colors."""
    kolm = f"{shlex.quote(sys.executable)} -m kolm_cli.cli.app"
    shell = f"cd {shlex.quote(str(folder))}; kolm() {{ {kolm} \"$@\"; }}; PS1='$ '; clear"
    tmux("new-session", "-d", "-s", SESSION, "-x", str(WIDTH), "-y", str(HEIGHT), "bash --norc")
    try:
        tmux("send-keys", "-t", SESSION, shell, "Enter")
        time.sleep(1)
        tmux("clear-history", "-t", SESSION)
        tmux("send-keys", "-t", SESSION, "kolm demo; touch over", "Enter")
        while not (folder / "over").exists():
            time.sleep(1)
        time.sleep(1)
        return tmux("capture-pane", "-e", "-p", "-S", "-", "-t", SESSION)
    finally:
        tmux("kill-session", "-t", SESSION)


def draw(shown: str, out: Path, title: str = "kolm demo") -> None:
    """Write the lines as an SVG."""
    lines = shown.replace("; touch over", "").rstrip("\n $").splitlines()
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line), no_wrap=True)
    out.write_text(console.export_svg(title=title, unique_id=title.replace(" ", "-")))


def main() -> None:
    """Run the demo in an empty folder, and draw what was seen."""
    out = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).with_name("demo.svg")
    with tempfile.TemporaryDirectory() as name:
        shown = record(Path(name))
    if "state   trusted" not in shown:
        raise SystemExit(f"the demo failed:\n{shown}")
    draw(shown, out)


if __name__ == "__main__":
    main()
