"""`evaluate.during` before and after the training: its rows, its steps, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kolm_cli.core.errors import Problem
from kolm_cli.dataset.picture_book import PictureBook
from kolm_cli.dataset.watched import choose, unfit
from kolm_cli.records.row import Row
from kolm_cli.scoring.course import evaluated_steps

if TYPE_CHECKING:
    from kolm_cli.spec.during import DuringSection
    from kolm_cli.spec.model import Spec


@dataclass(frozen=True)
class Watched:
    """What is asked while training.

    Attributes:
        rows: the rows of the pack that are asked.
        scored: those that decide the score: all of the pack, or the others where these choose.
        held_out: whether the rows are kept out of the score.
        steps: after which steps they are asked.
        problems: why that cannot be.
    """

    rows: Sequence[Row]
    scored: Sequence[Row]
    held_out: bool
    steps: Sequence[int]
    problems: Sequence[Problem] = ()


def watched(
    spec: Spec, pack: Sequence[Row], steps: int, book: PictureBook, place: Callable[[str], str]
) -> Watched | None:
    """The rows and steps that the spec asks for; None when it asks for none.

    Args:
        spec: the spec.
        pack: all rows of its pack.
        steps: the optimizer steps of its training.
        book: what is known of the pack's images.
        place: the position of an option in the spec's file.
    """
    asked = spec.evaluate.during
    if asked is None:
        return None
    chooses = asked.rule.chooses
    rows: list[Row] = []
    if asked.rows <= len(pack):
        rows = choose(pack, asked.rows, hold_out=chooses, book=book)

    def where(option: str) -> str:
        name = f"evaluate.during.{option}"
        return f"{place(name)}: {name}"

    problems = list(unfit(pack, asked.rows, rows, where("rows"), hold_out=chooses))
    at: list[int] = []
    try:
        at = evaluated_steps(asked.every, spec.train.num_train_epochs, steps)
    except ValueError as error:
        what = f"{asked.every!r} {error}"
        problems.append(Problem(what, where("every"), "write another distance"))
    else:
        problems += _idle(asked, len(at), where)
    names = {row.id for row in rows}
    scored = [row for row in pack if row.id not in names] if chooses else pack
    return Watched(rows, scored, chooses, at, problems)


def _idle(asked: DuringSection, evaluations: int, where: Callable[[str], str]) -> Iterator[Problem]:
    """What could not take effect in so few evaluations."""
    stopping = asked.early_stopping
    if asked.keep == "best" and evaluations < 2:
        yield Problem(
            "has no effect: the training is evaluated at its end only",
            where("keep"),
            "write a shorter distance as every, or keep: last",
        )
    # The first evaluation is none without an improvement, and the last is the end anyway.
    if stopping is not None and stopping.patience + 1 >= evaluations:
        yield Problem(
            f"has no effect: of {evaluations} evaluations, {stopping.patience} without an"
            " improvement are not over before the end",
            where("early_stopping.patience"),
            "write a smaller patience, or a shorter distance as every",
        )


def said_before(watch: Watched) -> str:
    """What `kolm validate` and the beginning of a compile say of it."""
    times, last = len(watch.steps), watch.steps[-1]
    what = f"{len(watch.rows)} rows of the pack are asked {times} times while training"
    if not watch.held_out:
        return f"{what}, the last time at step {last}; they choose nothing"
    return (
        f"{what} and choose the weights; the score and the gate are those of the other"
        f" {len(watch.scored)}"
    )


def held_out(trained: Mapping[str, Any]) -> frozenset[str]:
    """The digests of the rows that chose a bundle's weights, by the receipt's block `vlm_train`."""
    said = trained.get("during")
    if not isinstance(said, dict) or said.get("held_out") is not True:
        return frozenset()
    return frozenset(row["sha256"] for row in said["rows"])


def course_said(trained: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a report says of it: evaluations, where training ended, what is kept; None without."""
    said = trained.get("during")
    if said is None:
        return None
    return {
        **{name: said[name] for name in ("steps_planned", "steps_trained", "held_out")},
        "kept_step": trained["evidence"]["optimizer_steps"],
        "keep": said["options"]["keep"],
        "rows": len(said["rows"]),
        "evaluations": [
            {"step": step, "loss": loss, "accuracy": accuracy}
            for step, loss, accuracy in zip(
                said["steps"], said["loss"], said["accuracy"], strict=True
            )
        ],
    }
