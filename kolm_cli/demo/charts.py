"""Bar charts that know their own answers.

A chart is 140 by 140 pixels on a grid of 5 by 5 cells of 28 pixels, the area that one image token
of the demo's base covers. Vertical charts have their labels in the bottom row of cells, horizontal
ones in the left column; bars start at the labels' edge and are 12 px long for each unit of value.
"""

import random
from dataclasses import dataclass

from PIL import Image, ImageDraw

from kolm_cli.demo import glyphs

Colour = tuple[int, int, int]

SIDE = 140
CELL = 28
SLOTS = SIDE // CELL
UNIT = 12
MAX_VALUE = 9

_HALF_BAR = 8
_JITTER = 2


@dataclass(frozen=True)
class Look:
    """How a chart is drawn: which way its bars run, and whether its background is dark."""

    horizontal: bool
    dark: bool


STYLE_A = Look(horizontal=False, dark=False)
STYLE_B = Look(horizontal=True, dark=True)


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        label: a letter of `glyphs.LETTERS`, unique in its chart.
        value: 1 to `MAX_VALUE`, unique in its chart, so that "the longest" is one bar.
        slot: which of the five places along the axis it takes.
        shift: pixels by which the bar and its label are off the middle of their slot.
        label_shift: pixels by which the label is off the middle of its cell across the axis.
        color: RGB.
    """

    label: str
    value: int
    slot: int
    shift: int
    label_shift: int
    colour: Colour


@dataclass(frozen=True)
class Chart:
    """Three to five bars, how to draw them, and a threshold for questions that count.

    `threshold` lies between 3 and 6; bars of exactly this value are not above it.
    """

    look: Look
    bars: tuple[Bar, ...]
    threshold: int
    background: Colour
    ink: Colour

    @property
    def above(self) -> int:
        """How many bars are longer than the threshold."""
        return sum(bar.value > self.threshold for bar in self.bars)

    @property
    def longest(self) -> Bar:
        """The bar of the greatest value."""
        return max(self.bars, key=lambda bar: bar.value)

    @property
    def shortest(self) -> Bar:
        """The bar of the least value."""
        return min(self.bars, key=lambda bar: bar.value)

    def cell(self, bar: Bar) -> int:
        """The index of the cell that holds a bar's label, counted row by row from the top left."""
        if self.look.horizontal:
            return bar.slot * SLOTS
        return (SLOTS - 1) * SLOTS + bar.slot


def random_source(seed: int | str) -> random.Random:
    """A generator for `sample_chart`; the same numbers on every machine and Python version."""
    return random.Random(seed)  # noqa: S311 (charts are no secret)


def sample_chart(rng: random.Random, look: Look) -> Chart:
    """Draw a chart's content at random.

    The number of bars above the threshold is drawn first and the values follow from it: values
    drawn first would make some counts so common that guessing them pays.
    """
    count = rng.randint(3, SLOTS)
    threshold = rng.randint(3, 6)
    above = rng.randint(max(0, count - threshold), min(count, MAX_VALUE - threshold))
    values = rng.sample(range(threshold + 1, MAX_VALUE + 1), above)
    values += rng.sample(range(1, threshold + 1), count - above)
    rng.shuffle(values)
    labels = rng.sample(glyphs.LETTERS, count)
    first = rng.randint(0, SLOTS - count)
    bars = tuple(
        Bar(
            label=label,
            value=value,
            slot=first + place,
            shift=rng.randint(-_JITTER, _JITTER),
            label_shift=rng.randint(-_JITTER, _JITTER),
            colour=_bar_colour(rng, dark=look.dark),
        )
        for place, (label, value) in enumerate(zip(labels, values, strict=True))
    )
    background, ink = _paper(rng, dark=look.dark)
    return Chart(look, bars, threshold, background, ink)


def draw(chart: Chart) -> Image.Image:
    """The chart as an RGB image of `SIDE` by `SIDE` pixels."""
    image = Image.new("RGB", (SIDE, SIDE), chart.background)
    pen = ImageDraw.Draw(image)
    edge = SIDE - CELL  # where the bars of a vertical chart begin
    if chart.look.horizontal:
        pen.line((CELL, 0, CELL, SIDE - 1), chart.ink)
    else:
        pen.line((0, edge, SIDE - 1, edge), chart.ink)
    for bar in chart.bars:
        middle = bar.slot * CELL + CELL // 2 + bar.shift
        low, high = middle - _HALF_BAR, middle + _HALF_BAR - 1
        across = CELL // 2 + bar.label_shift
        length = bar.value * UNIT
        if chart.look.horizontal:
            pen.rectangle((CELL + 1, low, CELL + length, high), bar.colour)
            centre = (across, middle)
        else:
            pen.rectangle((low, edge - length, high, edge - 1), bar.colour)
            centre = (middle, edge + across)
        corner = (centre[0] - glyphs.WIDTH // 2, centre[1] - glyphs.HEIGHT // 2)
        image.paste(chart.ink, corner, glyphs.glyph(bar.label))
    return image


def _bar_colour(rng: random.Random, *, dark: bool) -> Colour:
    """A saturated color: two channels apart by at least 90, brighter on a dark background."""
    low, high = (110, 235) if dark else (20, 150)
    channels = [low + rng.randint(0, 25), high - rng.randint(0, 25), rng.randint(low, high)]
    rng.shuffle(channels)
    return channels[0], channels[1], channels[2]


def _paper(rng: random.Random, *, dark: bool) -> tuple[Colour, Colour]:
    """A background and an ink that can be read on it."""
    near_black, near_white = _grey(rng, 10, 45), _grey(rng, 225, 255)
    return (near_black, near_white) if dark else (near_white, near_black)


def _grey(rng: random.Random, low: int, high: int) -> Colour:
    """A grey with a slight tint, every channel from `low` to `high`."""
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)
