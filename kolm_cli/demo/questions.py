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


KINDS = {
    "A": ("longest", "shortest", "longest or shortest", "value", "which bar", "which bar", "count"),
    "B": ("longest", "shortest", "value", "count"),
}
"""What the questions of each style ask for, in their order; style A's last one is left out."""

_MOST = ("tallest", "highest", "largest", "greatest", "biggest", "top")
_LEAST = ("shortest", "lowest", "littlest", "tiniest", "least", "bottom")
_ASK_EXTREME = ("Which bar is the {}?", "Give the {} bar.", "Show the {} bar.", "The {} bar?")
_ASK_VALUE = ("What is the value of {}?", "Give the value of {}.", "Read {}.")
_ASK_BAR = ("Which bar has the value {}?", "Give the bar with the value {}.")
_ASK_COUNT = ("Count the values over {}.", "Count the bars taller than {}.", "Over {}: count.")


def style_a(chart: Chart, rng: random.Random) -> list[Question]:
    """Eight questions of style A; the last one asks for the whole chart to be written out.

    Every kind comes in several wordings. A base that knew one word for the greatest and one for
    the least had little use for words as such: an adapter then took hundreds of steps to tell two
    new ones apart, with some seeds.
    """
    one, other, third = rng.sample(chart.bars, 3)
    cut = rng.choice((chart.threshold, rng.randint(2, 7)))
    over = sum(bar.value > cut for bar in chart.bars)
    written = " ".join(f"{bar.label}{bar.value}" for bar in chart.bars)

    def most() -> Question:
        return Question(rng.choice(_ASK_EXTREME).format(rng.choice(_MOST)), chart.longest.label)

    def least() -> Question:
        return Question(rng.choice(_ASK_EXTREME).format(rng.choice(_LEAST)), chart.shortest.label)

    return [
        most(),
        least(),
        rng.choice((most, least))(),
        Question(rng.choice(_ASK_VALUE).format(one.label), str(one.value)),
        Question(rng.choice(_ASK_BAR).format(other.value), other.label),
        Question(rng.choice(_ASK_BAR).format(third.value), third.label),
        Question(rng.choice(_ASK_COUNT).format(cut), str(over)),
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
