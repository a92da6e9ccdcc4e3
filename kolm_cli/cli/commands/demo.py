"""`kolm demo`: the main job on real input, with everything it needs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from kolm_cli.cli.live import ProgressKind, ProgressOption
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode, InputError, InterruptedRunError, Problem


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where it works.")] = Path(
        "kolm-demo"
    ),
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Another seed of the training.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget an earlier run in this folder first.")
    ] = False,
    progress: ProgressOption = None,
) -> None:
    """Run the main job on charts that kolm draws itself."""
    from kolm_cli.demo.chain import prepare, steps

    output = Output(as_events=progress is ProgressKind.JSON)
    home = folder.absolute() / "home"
    if fresh and home.exists():
        if not (folder / "chart-demo.yaml").is_file():
            raise InputError(
                Problem("it was not written by a demo", str(home), "name another folder")
            )
        shutil.rmtree(home)
    output.note(f"The demo works in {folder}/, with a KOLM_HOME of its own in {folder}/home/.")
    output.note("Drawing 3,000 training and 240 held-out chart questions ...")
    began = time.monotonic()
    spec = prepare(folder, seed=seed)
    environment = {**os.environ, "KOLM_HOME": str(home)}
    # The demo makes a key of its own, which its own home trusts.
    environment.pop("KOLM_SIGNING_KEY", None)
    for step in steps(folder, spec):
        output.note(f"\n# {step.says}\n$ kolm {' '.join(step.arguments)}")
        how = ("--progress", progress.value) if progress and step.shows_progress else ()
        code = _run((*step.arguments, *how), environment)
        if code == ExitCode.INTERRUPTED:
            raise InterruptedRunError(
                "the demo was interrupted", hint=f"kolm demo {folder} goes on where it was"
            )
        if code != 0:
            raise typer.Exit(code)
    output.note(f"\nAll of it took {time.monotonic() - began:.0f} s. What the bundle proves:")
    output.note(f"$ KOLM_HOME={folder}/home kolm receipt {folder}/chart-demo.kolm")


def _run(arguments: tuple[str, ...], environment: dict[str, str]) -> int:
    """Run a command, and let it end in order when it is interrupted.

    Ctrl-C reaches the command too, whose first answer is to end in order, and whose second is to
    end at once: it is handed on only where a signal reached this process alone.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "kolm_cli.cli.app", *arguments], env=environment
    )
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if number == signal.SIGTERM or len(received) > 1:
            process.send_signal(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return int(ExitCode.INTERRUPTED) if received else code
