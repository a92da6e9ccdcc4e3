"""Questions about a chart, with their answers.

The two styles share the skills (the extremes, a value, a count) and no wording: the base is taught
the questions of style A, and what the demo's adapter learns is to answer those of style B.
"""

import random
from typing import NamedTuple

from kolm_cli.demo.charts import Chart


class Question(NamedTuple):
    """One prompt and its only right answer."""

    prompt: str
    answer: str


def style_a(chart: Chart, rng: random.Random) -> list[Question]:
    """Eight questions of style A; the last one asks for the whole chart to be written out."""
    one, other, third = rng.sample(chart.bars, 3)
    cut = rng.randint(2, 7)
    over_cut = sum(bar.value > cut for bar in chart.bars)
    written = " ".join(f"{bar.label}{bar.value}" for bar in chart.bars)
    return [
        Question("Which bar is the tallest?", chart.longest.label),
        Question("Which bar is the shortest?", chart.shortest.label),
        Question(f"What is the value of {one.label}?", str(one.value)),
        Question(f"Which bar has the value {other.value}?", other.label),
        Question(f"Which bar has the value {third.value}?", third.label),
        Question(f"Count the values over {chart.threshold}.", str(chart.above)),
        Question(f"Count the values over {cut}.", str(over_cut)),
        Question("Write out the chart.", written),
    ]


def style_b(chart: Chart, rng: random.Random) -> list[Question]:
    """The four questions of style B, one of each kind."""
    one = rng.choice(chart.bars)
    return [
        Question("Name the longest bar.", chart.longest.label),
        Question("Name the smallest bar.", chart.shortest.label),
        Question(f"How long is {one.label}?", str(one.value)),
        Question(f"How many bars are above {chart.threshold}?", str(chart.above)),
    ]
