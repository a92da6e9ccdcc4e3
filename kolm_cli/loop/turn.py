"""One turn: finish what was cut short, compile what is new, promote it or keep the old one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from kolm_cli.core import digests
from kolm_cli.core.errors import (
    InputError,
    InterruptedRunError,
    KolmError,
    LackingError,
    Problem,
)
from kolm_cli.core.progress import Progress
from kolm_cli.loop import hooks
from kolm_cli.loop.events import calls, end_failed, event_of
from kolm_cli.loop.journal import JUDGED, Journal, Move, Turn, now
from kolm_cli.loop.place import Place, Wishes
from kolm_cli.loop.promotion import carry_out, line, plan_promotion, plan_rollback, taken_back
from kolm_cli.pipeline.compile import compile_spec
from kolm_cli.pipeline.inputs import Inputs, gather
from kolm_cli.registry.index import find, named
from kolm_cli.registry.names import Tag, parse_tag
from kolm_cli.registry.store import Registry

_COMMANDS = ("on_promote", "on_keep", "webhooks", "before_promote")
_ROLLED_BACK = "this very bundle was rolled back before"
# What of a compile's report the journal keeps.
_KEPT = ("cid", "bundle", "accuracy", "base_accuracy", "coverage", "cached", "unchanged")


@dataclass(frozen=True)
class Outcome:
    """What a turn came to.

    Attributes:
        state: `nothing new`, `promoted`, `unchanged` or `kept`.
        why: in words.
        name: the loop's.
        tag: `NAME:TAG`.
        result: what was compiled; empty when nothing was.
        in_use: the CID that the tag means now; empty when none was promoted.
        failed_hooks: calls that failed, and are tried again in the next turn.
        refused: whether the gate, or a command that was asked, did not want the result.
    """

    state: str
    why: str
    name: str
    tag: str
    result: dict[str, Any]
    in_use: str
    failed_hooks: list[str]
    refused: bool = False

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def take_turn(
    spec: Path,
    wishes: Wishes,
    progress: Progress,
    *,
    device: Literal["cpu", "cuda"] | None = None,
) -> Outcome:
    """Take one turn of the loop of a spec.

    Raises:
        KolmError: the compile failed, or was interrupted; what is in use stays, and the journal
            says why.
        LackingError: another turn of this loop is running.
    """
    _check(wishes)
    progress.stage("look for new data")
    # As if from the base: what it starts from changes with every promotion, and is no new data.
    inputs = gather(spec, device=device, adapter="")
    place, name = Place.of(inputs.spec.name), inputs.spec.name
    tag = Tag(name, wishes.tag)
    with place.turn_lock(), place.journal() as journal:
        journal.configure(spec=str(spec.absolute()), looked=now(), **asdict(wishes))
        with place.move_lock():
            finished = _finish_moves(journal, tag, wishes)
        killed = journal.unended()
        if killed is not None and killed.state == "compiled":
            state, why = _judge(place, journal, killed, tag, wishes, progress)
            result = killed.result
        elif (old := _judged(journal, inputs)) is not None:
            state, why, result = "nothing new", f"as in the turn of {old.started}", {}
            if finished:
                state, why = "promoted", "what a kill had cut short is done now"
            if killed is not None:
                journal.end(killed.id, "interrupted", "killed; its data is gone")
        else:
            turn = _compile(journal, spec, inputs, killed, progress, device, wishes)
            state, why = _judge(place, journal, turn, tag, wishes, progress)
            result = turn.result
        failed = hooks.make_owed_calls(journal, progress)
        promoted = line(journal.moves())
    in_use = promoted[-1].cid if promoted else ""
    refused = state == "kept" and why != _ROLLED_BACK
    return Outcome(state, why, name, str(tag), result, in_use, failed, refused)


def roll_back(name: str, progress: Progress) -> Outcome:
    """Move a loop's tag back to the promotion before, and tell those who are told of promotions.

    Raises:
        InputError: there is no such loop, or nothing to go back to.
    """
    place = Place.existing(name)
    with place.journal() as journal:
        wishes = _wishes(journal)
        tag = Tag(name, wishes.tag)
        with place.move_lock():
            _finish_moves(journal, tag, wishes)
            move = plan_rollback(journal, name)
            _carry_out(journal, move, tag, wishes)
        failed = hooks.make_owed_calls(journal, progress)
    return Outcome("rolled back", "as asked", name, str(tag), {}, move.cid, failed)


def _check(wishes: Wishes) -> None:
    problems: list[Problem] = []
    for check, values in (
        (hooks.check_command, (*wishes.before_promote, *wishes.on_promote, *wishes.on_keep)),
        (hooks.check_address, wishes.webhooks),
        (lambda tag: parse_tag(f"name:{tag}"), (wishes.tag,)),
    ):
        for value in values:
            try:
                check(value)
            except InputError as error:
                problems += error.problems
    if problems:
        raise InputError(*problems)


def _wishes(journal: Journal) -> Wishes:
    settings = journal.settings()
    return Wishes(
        settings.get("tag", "live"),
        settings.get("keep", 5),
        *(tuple(settings.get(name, ())) for name in _COMMANDS),
    )


def _judged(journal: Journal, inputs: Inputs) -> Turn | None:
    """The turn that judged these very inputs last, if that was the last that judged any."""
    for turn in journal.turns(limit=200):
        if turn.state in JUDGED:
            return turn if turn.fingerprint == _fingerprint(inputs) else None
    return None


def _fingerprint(inputs: Inputs) -> str:
    """Names what a turn is about: data, base and spec, but not which bundle a tag means now."""
    adapter = inputs.loaded.adapter
    return digests.sha256_json([inputs.keys.result, adapter.text if adapter else ""])


def _compile(
    journal: Journal,
    spec: Path,
    inputs: Inputs,
    killed: Turn | None,
    progress: Progress,
    device: Literal["cpu", "cuda"] | None,
    wishes: Wishes,
) -> Turn:
    """Compile as a turn; one that was killed over the same data starts from the same bundle."""
    same = killed is not None and killed.fingerprint == _fingerprint(inputs)
    if killed is not None and not same:
        journal.end(killed.id, "interrupted", "killed; the data changed since")
    if killed is not None and same:
        number, parent = killed.id, killed.parent
    else:
        parent = _parent(inputs, progress)
        if inputs.spec.evaluate.gate.no_regression is None:
            progress.note(
                "the gate does not compare with what is in use: write no_regression: {against:"
                f" {inputs.spec.name}:{wishes.tag}}} to evaluate.gate"
            )
        number = journal.begin(_fingerprint(inputs), parent)
    try:
        compiled = compile_spec(spec, device=device, adapter=parent, progress=progress)
    except InterruptedRunError:
        # Left open: the next turn goes on with it.
        raise
    except KolmError as error:
        end_failed(journal, number, inputs.spec.name, error, {}, wishes, progress)
        raise
    report = compiled.report
    result = {key: report[key] for key in _KEPT if key in report}
    result["k"] = report["k_score"]["k"]
    result["gate_failed"] = [] if compiled.gate_passed else list(report["gate"]["failed"])
    result["gate_passed"] = compiled.gate_passed
    journal.compiled(number, result)
    return next(turn for turn in journal.turns() if turn.id == number)


def _parent(inputs: Inputs, progress: Progress) -> str | None:
    """The CID that this turn starts from: fixed now, whatever its tag means when it is resumed."""
    source = inputs.loaded.adapter
    if source is None or source.path is not None:
        return None
    index = Registry().index()
    try:
        return find(index, named(index, source.text)).cid
    except InputError:
        # The first turn of a loop that starts from its own last result.
        progress.note(f"there is no {source.text} yet: this turn starts from the base")
        return ""


def _judge(
    place: Place, journal: Journal, turn: Turn, tag: Tag, wishes: Wishes, progress: Progress
) -> tuple[str, str]:
    """Promote what a turn compiled, or say why not.

    Raises:
        LackingError: a command that was asked could not say.
    """
    result, refused = turn.result, []
    if wishes.before_promote and _unfit(journal, result) is None:
        # Without the lock: this may take long, and somebody may want to go back meanwhile.
        event = event_of(tag.name, wishes, "compiled", "the gate was met", result, journal)
        try:
            refused = hooks.refusals(wishes.before_promote, event, progress)
        except LackingError as error:
            end_failed(journal, turn.id, tag.name, error, result, wishes, progress)
            raise
    with place.move_lock():
        unfit = _unfit(journal, result) or (("kept", "; ".join(refused)) if refused else None)
        if unfit is None:
            _carry_out(journal, plan_promotion(journal, turn.id, result["cid"]), tag, wishes)
            return "promoted", "the gate was met"
        state, why = unfit
        event = event_of(tag.name, wishes, state, why, result, journal)
        owed = [] if state == "unchanged" else calls(wishes, event, promoted=False)
        journal.end(turn.id, state, why, owed)
    return state, why


def _unfit(journal: Journal, result: dict[str, Any]) -> tuple[str, str] | None:
    """Why a result is not promoted, by what the journal knows; None when it may be."""
    moves = journal.moves()
    promoted = line(moves)
    if not result["gate_passed"]:
        return "kept", "gate not met: " + "; ".join(result["gate_failed"])
    if promoted and promoted[-1].cid == result["cid"]:
        return "unchanged", "the result is the bundle that is in use"
    return ("kept", _ROLLED_BACK) if result["cid"] in taken_back(moves) else None


def _finish_moves(journal: Journal, tag: Tag, wishes: Wishes) -> bool:
    """Do what was decided and then cut short; whether there was anything."""
    planned = [move for move in journal.moves() if not move.done]
    for move in planned:
        _carry_out(journal, move, tag, wishes)
    return bool(planned)


def _carry_out(journal: Journal, move: Move, tag: Tag, wishes: Wishes) -> None:
    turn = next((turn for turn in journal.turns(limit=200) if turn.id == move.turn), None)
    state = "promoted" if move.kind == "promote" else "rolled-back"
    result = turn.result if turn else {}
    why = "the gate was met" if move.kind == "promote" else "somebody asked for it"
    event = {**event_of(tag.name, wishes, state, why, result, journal), "cid": move.cid}
    owed = calls(wishes, event, promoted=True)
    carry_out(journal, move, tag, keep=wishes.keep, why=why, hooks=owed)
