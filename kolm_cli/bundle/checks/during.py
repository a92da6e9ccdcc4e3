"""What the files, the spec and the rule make of a training that was evaluated on its way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kolm_cli.bundle.checks.statements import UNSAID, Statements
from kolm_cli.bundle.format.json_lines import SHA256
from kolm_cli.scoring.course import (
    MOST_ROWS,
    PLACES,
    Course,
    Rule,
    course_of,
    evaluated_steps,
    optimizer_steps,
)

_CLAIM = "receipt.vlm_train.during"


def asked(statements: Statements) -> Any:
    """The section of the spec; None where it has none."""
    said = statements.said("spec.evaluate.during")
    return None if said is UNSAID else said


def held_out(statements: Statements) -> Any:
    """Whether the rows are kept out of the score; None where the files say otherwise.

    Raises:
        ValueError: they are no such rows.
    """
    options, rows = _options(statements), statements.said(f"{_CLAIM}.rows")
    if options is None:
        return UNSAID
    if not isinstance(rows, list):
        raise ValueError("rows is no list")
    chooses = Rule.of(options).chooses
    if not 1 <= len(rows) <= min(MOST_ROWS, options["rows"]):
        raise ValueError(f"{len(rows)} rows are not some of those that are asked for")
    pack = {row.id: row for row in statements.case.evaluation.pack}
    shown = {image for row in pack.values() for image in row.images}
    trained = statements.case.contents.train.images
    names = [_row(row) for row in rows]
    if len(set(names)) < len(names):
        raise ValueError("a row occurs twice")
    if any(trained & set(row["images"]) for row in rows):
        raise ValueError("a row shows an image that was trained on")
    if chooses:
        apart = all(row["id"] not in pack and not shown & set(row["images"]) for row in rows)
        return True if apart else None
    same = all(row["id"] in pack and list(pack[row["id"]].images) == row["images"] for row in rows)
    return False if same else None


def _row(row: Any) -> str:
    images = row["images"] if set(row) == {"id", "images", "sha256"} else None
    digests = [row["sha256"], *images] if isinstance(images, list) else [""]
    named = isinstance(row["id"], str) and row["id"]
    if not named or not all(isinstance(d, str) and SHA256.fullmatch(d) for d in digests):
        raise ValueError("an entry is no row")
    return str(row["id"])


def planned(statements: Statements) -> Any:
    """The steps of the training rows."""
    options = _options(statements)
    return UNSAID if options is None else _planned(statements)


def steps(statements: Statements) -> Any:
    """The steps at which such a training is evaluated, as far as it went."""
    options = _options(statements)
    if options is None:
        return UNSAID
    epochs = statements.said("spec.train.num_train_epochs")
    all_of_them = evaluated_steps(options["every"], epochs, _planned(statements))
    return all_of_them[: len(statements.said(f"{_CLAIM}.steps"))]


def trained(statements: Statements) -> Any:
    """Where the rule ends the training; None where it does not end with what is evaluated."""
    course = _course(statements)
    if course is None:
        return UNSAID
    last = course.evaluated[-1].step
    return last if course.over or last == _planned(statements) else None


def kept(statements: Statements) -> Any:
    """The steps of the weights that the rule keeps; all of them where nothing was evaluated."""
    course = _course(statements)
    if course is not None:
        return course.kept
    if asked(statements) is not None:
        return UNSAID
    try:
        return _planned(statements)
    except ValueError:
        return UNSAID  # the first bundles do not say how many steps there were


def _options(statements: Statements) -> Mapping[str, Any] | None:
    said = asked(statements)
    if said is None:
        return None
    if not isinstance(said, dict):
        raise ValueError("the spec's evaluate.during is no mapping")
    return said


def _planned(statements: Statements) -> int:
    options = [
        statements.said(f"spec.{name}")
        for name in (
            "train.num_train_epochs",
            "train.per_device_train_batch_size",
            "train.gradient_accumulation_steps",
            "launch.num_processes",
        )
    ]
    if not all(type(option) is int and option > 0 for option in options):
        raise ValueError("the spec does not say how many steps there are")
    return optimizer_steps(statements.train_rows, *options)


def _course(statements: Statements) -> Course | None:
    options, said = _options(statements), statements.said(_CLAIM)
    if options is None or said is UNSAID:
        return None
    at, losses, accuracies = said["steps"], said["loss"], said["accuracy"]
    incomplete = said.get("incomplete", [])
    if not at or not all(type(step) is int for step in (*at, *incomplete)):
        raise ValueError("steps are no list of steps")
    if not all(_is_figure(loss) or loss is None for loss in losses):
        raise ValueError("loss is no list of losses")
    if not all(_is_figure(share) and share <= 1 for share in accuracies):
        raise ValueError("accuracy is no list of shares")
    return course_of(Rule.of(options), at, losses, accuracies, incomplete)


def _is_figure(value: Any) -> bool:
    return type(value) in (int, float) and value >= 0 and value == round(value, PLACES)
