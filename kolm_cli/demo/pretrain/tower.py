"""Stage 1: teach the vision tower to see labels and bar lengths, with no question asked.

Cross-entropy through a question gives the tower next to no signal (measured elsewhere: still at
chance after 2,000 steps), so it is supervised directly: two linear heads, thrown away afterwards,
read from every cell of the chart which label stands there and how long that label's bar is.
"""

import random

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

from kolm_cli.demo import charts, glyphs
from kolm_cli.demo.pretrain import vision
from kolm_cli.demo.pretrain.schedule import Optimiser, Progress

BATCH = 32
PEAK = 1e-3

LOOKS = tuple(
    charts.Look(horizontal=horizontal, dark=dark)
    for horizontal in (False, True)
    for dark in (False, True)
)
"""What the tower sees: both directions on both backgrounds, so both styles and more."""

NOTHING = -1
_EMPTY_WEIGHT = 0.2  # most cells are empty; seeing that they are is the easy part


def cell_targets(batch: list[charts.Chart]) -> tuple[Tensor, Tensor]:
    """Label and value of every cell, [charts, CELLS] each; `NOTHING` where no label stands.

    Labels count from 0 for "A", values from 0 for a bar of one unit.
    """
    labels = torch.full((len(batch), vision.CELLS), NOTHING)
    values = torch.full((len(batch), vision.CELLS), NOTHING)
    for row, chart in enumerate(batch):
        for bar in chart.bars:
            labels[row, chart.cell(bar)] = glyphs.LETTERS.index(bar.label)
            values[row, chart.cell(bar)] = bar.value - 1
    return labels, values


def sample_any(rng: random.Random, count: int) -> list[charts.Chart]:
    """Charts of every look of `LOOKS`, at random."""
    return [charts.sample_chart(rng, rng.choice(LOOKS)) for _ in range(count)]


def train_tower(
    model: Qwen2_5_VLForConditionalGeneration,
    processor: Qwen2_5_VLProcessor,
    *,
    steps: int,
    seed: int,
    progress: Progress,
) -> float:
    """Train everything in `model.visual` before the merger, in place.

    Returns:
        The share of labeled cells of 256 new charts whose label and value are both read right.
    """
    visual = model.model.visual
    rng = charts.random_source(seed)
    torch.manual_seed(seed)
    head = _CellHead(4 * visual.config.hidden_size)
    trained = [p for name, p in visual.named_parameters() if not name.startswith("merger.")]
    optimiser = Optimiser([*trained, *head.parameters()], peak=PEAK, steps=steps)
    for step in range(1, steps + 1):
        batch = sample_any(rng, BATCH)
        encoded = vision.encode(visual, vision.pixels(processor, [*map(charts.draw, batch)]))
        loss = head.loss(encoded, *cell_targets(batch))
        optimiser.step(loss)
        progress("tower", step, steps, loss.item())
    check = sample_any(charts.random_source(f"check {seed}"), 256)
    with torch.no_grad():
        encoded = vision.encode(visual, vision.pixels(processor, [*map(charts.draw, check)]))
        return head.accuracy(encoded, *cell_targets(check))


class _CellHead(nn.Module):
    """Reads label and value from a cell's four patches; class 0 is an empty cell."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.label = nn.Linear(width, 1 + len(glyphs.LETTERS))
        self.value = nn.Linear(width, 1 + charts.MAX_VALUE)

    def loss(self, encoded: Tensor, labels: Tensor, values: Tensor) -> Tensor:
        """Cross-entropy of both readings, of cells [charts, CELLS, width]."""
        cells = self.norm(encoded).flatten(0, 1)
        total = torch.zeros(())
        for head, targets in ((self.label, labels), (self.value, values)):
            wanted = targets.flatten() + 1
            each = functional.cross_entropy(head(cells), wanted, reduction="none")
            filled = wanted > 0
            total = total + each[filled].mean() + _EMPTY_WEIGHT * each[~filled].mean()
        return total

    def accuracy(self, encoded: Tensor, labels: Tensor, values: Tensor) -> float:
        """The share of labeled cells where both readings are right."""
        cells = self.norm(encoded)
        right = (self.label(cells).argmax(-1) == labels + 1) & (
            self.value(cells).argmax(-1) == values + 1
        )
        return float(right[labels != NOTHING].float().mean())
