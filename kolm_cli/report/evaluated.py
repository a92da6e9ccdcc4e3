"""What was evaluated while a bundle was trained: by its receipt, wherever the training was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kolm_cli.report import charts
from kolm_cli.report.charts import Chart
from kolm_cli.report.facts import Facts, block, number


def evaluated(facts: Facts, points: Sequence[Mapping[str, Any]]) -> Iterator[Chart]:
    """Loss and accuracy; nothing where nothing was evaluated.

    Args:
        facts: what the report is about.
        points: the training's own losses, where they are known.
    """
    said = block(facts.trained, "during")
    if not said:
        return
    at = [float(step) for step in said["steps"]]
    losses, accuracies = (
        dict(zip(at, map(number, said[name]), strict=True)) for name in ("loss", "accuracy")
    )
    trained = {float(point["step"]): number(point.get("loss")) for point in points}
    steps, name = sorted({*trained, *losses}), f"{len(said['rows'])} rows of the pack"
    series = {"training": [trained.get(s) for s in steps], name: [losses.get(s) for s in steps]}
    yield charts.lines("Loss", steps, series, logarithmic=True)
    note = [f"The weights of step {block(facts.trained, 'evidence')['optimizer_steps']} are kept."]
    if said["steps_trained"] < said["steps_planned"]:
        note.insert(0, f"Stopped early at step {said['steps_trained']} of {said['steps_planned']}.")
    if said["held_out"]:
        note.append("These rows chose the weights, and are no part of the score.")
    yield charts.lines(
        f"Accuracy on {name}", at, {"accuracy": list(accuracies.values())}, note=" ".join(note)
    )
