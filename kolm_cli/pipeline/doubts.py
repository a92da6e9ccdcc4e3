"""Why a run that is right in form will hardly learn: said before it trains, and no error.

The figures that it goes by are those that `kolm init` proposes: how many optimizer steps a narrow
task takes, and with which rates, on a base as large as this one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kolm_cli.dataset.proposal import STEPS, STEPS_OF_SMALL, Schedule, is_small, schedule
from kolm_cli.records.row import Row

if TYPE_CHECKING:
    from kolm_cli.pipeline.inputs import Inputs

# So many times another rate is far from what is proposed.
FAR = 10
# Fewer steps are few. A small base is taught the task itself: on scikit-learn's digits the demo's
# stood at chance after 80, and had learned after 360 (docs/explanation/learning.md).
FEW, FEW_OF_SMALL = 40, 160
# A pack with at most so many different answers, each short and given more than once on average,
# asks for one of a few classes.
MOST_CLASSES, LONGEST_CLASS = 50, 40


def doubts(inputs: Inputs, train: Sequence[Row], pack: Sequence[Row], steps: int) -> list[str]:
    """A sentence for each thing that makes success unlikely.

    Args:
        inputs: the spec, and the base.
        train: the training rows.
        pack: the evaluation rows.
        steps: the optimizer steps of the run.
    """
    small = is_small(inputs.base.folder)
    proposed = schedule(len(train), small_base=small)
    found = list(_rates(inputs, proposed, "small" if small else "large"))
    if inputs.parent is None:  # what started before needs fewer
        found += _steps(steps, *((FEW_OF_SMALL, STEPS_OF_SMALL) if small else (FEW, STEPS)))
    return [*found, *unseen_classes(inputs.spec.evaluate.metric_name, train, pack)]


def _steps(steps: int, few: int, wanted: int) -> Iterator[str]:
    if steps < few:
        yield (
            f"{steps} optimizer steps are few: a narrow task takes about {wanted} on such a base;"
            " give more rows or epochs, or lower gradient_accumulation_steps"
        )


def _rates(inputs: Inputs, proposed: Schedule, base: str) -> Iterator[str]:
    config = inputs.spec.train
    rates = [("learning_rate", config.learning_rate, proposed.learning_rate)]
    if config.projector != "freeze" and inputs.base.family.projector:
        rates.append(
            (
                "projector_learning_rate",
                config.projector_learning_rate,
                proposed.projector_learning_rate,
            )
        )
    for name, rate, usual in rates:
        if not float(usual) / FAR <= rate <= float(usual) * FAR:
            below = rate < float(usual)
            yield (
                f"train.{name} {rate:g} is far {'below' if below else 'above'} the {usual} that"
                f" `kolm init` proposes for a {base} base:"
                f" it {'learns little' if below else 'may forget everything'}"
            )


def unseen_classes(metric: str, train: Sequence[Row], pack: Sequence[Row]) -> Iterator[str]:
    """Answers of a pack of classes that no training row gives."""
    asked = Counter(row.accepted[0].strip() for row in pack if row.accepted)
    few = len(asked) <= MOST_CLASSES and 2 * len(asked) <= len(pack)
    short = all(len(answer) <= LONGEST_CLASS for answer in asked)
    if not short or not (few or metric == "classification"):
        return
    seen = {answer.strip().lower() for row in train for answer in row.accepted}
    for answer, count in sorted(asked.items()):
        if answer.lower() not in seen:
            yield (
                f"the answer {answer!r:.60} of {count} evaluation rows is never given in training"
            )
