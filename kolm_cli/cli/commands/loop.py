"""`kolm loop` and `kolm rollback`: compile what is new, promote what is better, and go back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kolm_cli.cli.commands.log import share
from kolm_cli.cli.help import TitledGroup
from kolm_cli.cli.live import ProgressKind, ProgressOption, progress_for
from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode, InputError, InterruptedRunError, KolmError, Problem

if TYPE_CHECKING:
    from kolm_cli.loop.place import Wishes
    from kolm_cli.loop.status import Status
    from kolm_cli.loop.turn import Outcome


class LoopGroup(TitledGroup):
    """`kolm loop SPEC` means `kolm loop run SPEC`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` before what is no command of the group."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Compile what is new, and promote what is better. `kolm loop SPEC` runs.",
        no_args_is_help=True,
    )
    group.command("run")(run_command)
    group.command("status")(status_command)
    app.add_typer(group, name="loop", cls=LoopGroup)
    app.command("rollback")(rollback_command)


def run_command(
    spec: Annotated[Path, typer.Argument(help="The spec file.", show_default=False)],
    every: Annotated[
        str | None,
        typer.Option("--every", metavar="1h", help="Take a turn so often, until stopped."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Take one turn, as for cron.")] = False,
    tag: Annotated[
        str, typer.Option("--tag", metavar="TAG", help="NAME:TAG is what is promoted.")
    ] = "live",
    before_promote: Annotated[
        list[str] | None,
        typer.Option(
            "--before-promote", metavar="CMD", help="Ask first: 0 promotes, 3 keeps the old one."
        ),
    ] = None,
    on_promote: Annotated[
        list[str] | None,
        typer.Option("--on-promote", metavar="CMD", help="Run when the tag was moved."),
    ] = None,
    on_keep: Annotated[
        list[str] | None,
        typer.Option("--on-keep", metavar="CMD", help="Run when the old one was kept."),
    ] = None,
    webhook: Annotated[
        list[str] | None, typer.Option("--webhook", metavar="URL", help="POST either to URL.")
    ] = None,
    keep: Annotated[
        int, typer.Option("--keep", min=1, help="Promotions to be able to go back to.")
    ] = 5,
    device: Annotated[
        Literal["cpu", "cuda"] | None, typer.Option("--device", help="Instead of the spec's.")
    ] = None,
    progress: ProgressOption = None,
    json: JsonOption = False,
) -> None:
    """Compile if there is something new; promote the tag if the gate is met, else say why not."""
    from kolm_cli.core.times import parse_duration
    from kolm_cli.loop.place import Wishes

    if once == (every is not None):
        fix = "write --every 1h to keep going, or --once for a single turn"
        raise InputError(Problem("how often?", fix=fix))
    wishes = Wishes(
        tag,
        keep,
        *(tuple(given or ()) for given in (on_promote, on_keep, webhook, before_promote)),
    )
    output = Output(as_json=json)
    if every is None:
        outcome = _turn(spec, wishes, output, progress, device)
        _show(output, outcome, one_line=False)
        _exit(outcome)
        return
    seconds = parse_duration(every)
    while True:
        began = time.monotonic()
        try:
            _show(output, _turn(spec, wishes, output, progress, device), one_line=True)
        except InterruptedRunError:
            raise
        except KolmError as error:
            # What is in use stays in use, and the next turn may fare better.
            if json:
                output.json_line(error.as_json())
            Output(as_events=output.as_events).error(error)
        time.sleep(max(0.0, began + seconds - time.monotonic()))


def _turn(
    spec: Path,
    wishes: Wishes,
    output: Output,
    kind: ProgressKind | None,
    device: Literal["cpu", "cuda"] | None,
) -> Outcome:
    from kolm_cli.loop.turn import take_turn

    with progress_for(output, kind) as shown:
        return take_turn(spec, wishes, shown, device=device)


def rollback_command(
    name: Annotated[str, typer.Argument(help="The loop's name.", show_default=False)],
    json: JsonOption = False,
) -> None:
    """Move a loop's tag back to the promotion before, and run its hooks."""
    from kolm_cli.loop.turn import roll_back

    output = Output(as_json=json)
    with progress_for(output) as shown:
        outcome = roll_back(name, shown)
    _show(output, outcome, one_line=False)
    _exit(outcome)


def _show(output: Output, outcome: Outcome, *, one_line: bool) -> None:
    if output.as_json:
        (output.json_line if one_line else output.json)(outcome.as_json())
        return
    output.data(f"{outcome.state}: {outcome.why}")
    if outcome.result:
        was = f"{outcome.result['base_accuracy']:.4f} -> {outcome.result['accuracy']:.4f}"
        output.data(f"compiled  {outcome.result['cid']}  (accuracy {was})")
    output.data(f"{outcome.tag}  {outcome.in_use or 'nothing yet'}", flush=True)


def _exit(outcome: Outcome) -> None:
    if outcome.failed_hooks:
        raise typer.Exit(int(ExitCode.ENVIRONMENT))
    if outcome.refused:
        raise typer.Exit(int(ExitCode.GATE))


def status_command(
    name: Annotated[str | None, typer.Argument(help="Only this loop, with its turns.")] = None,
    turns: Annotated[int, typer.Option("--turns", min=1, help="So many of them.")] = 10,
    json: JsonOption = False,
) -> None:
    """Say what each loop promoted, kept and why."""
    from kolm_cli.loop.place import all_loops
    from kolm_cli.loop.status import status_of

    found = [status_of(one, turns=turns) for one in ([name] if name else all_loops())]
    output = Output(as_json=json)
    if json:
        output.json(found[0].as_json() if name else [status.as_json() for status in found])
    elif name:
        _show_one(output, found[0])
    elif found:
        rows = [(s.tag, s.in_use or "-", s.since or "-", _last(s), s.looked) for s in found]
        output.table(("NAME:TAG", "IN USE", "SINCE", "LAST TURN", "LOOKED"), rows)
    else:
        output.note("There is no loop yet; `kolm loop SPEC --once` takes a turn.")


def _last(status: Status) -> str:
    if status.running:
        return "running"
    return status.turns[0].state if status.turns else "-"


def _show_one(output: Output, status: Status) -> None:
    output.data(f"spec      {status.spec}")
    output.data(f"looked    {status.looked}{'  (a turn is running)' if status.running else ''}")
    since = f"  since {status.since}" if status.since else ""
    output.data(f"{status.tag}  {status.in_use or 'nothing yet'}{since}")
    if status.tag_means != status.in_use:
        output.note(
            f"somebody moved the tag: {status.tag} means {status.tag_means or 'nothing'} now"
        )
    rows = [
        (turn.started, turn.state, share(turn.result.get("accuracy")), turn.why or "-")
        for turn in status.turns
    ]
    if rows:
        output.table(("TURN", "STATE", "ACCURACY", "WHY"), rows)
    for hook in status.owed:
        output.note(f"to be tried again: {hook}")
