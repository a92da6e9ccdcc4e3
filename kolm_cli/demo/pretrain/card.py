"""The base's model card: what it is, how it was made, and measured figures only."""

from dataclasses import dataclass

from kolm_cli.demo.pretrain import language, tower
from kolm_cli.demo.pretrain.score import Score


@dataclass(frozen=True)
class Figures:
    """What was measured, on charts of a seed that no training used.

    Attributes:
        cells: share of labeled cells that the tower's throw-away heads read right.
        style_a: the base on the style it was taught.
        style_a_blank: the same rows with a white image in place of every chart.
        style_b: the base on the style it was not taught.
    """

    cells: float
    style_a: Score
    style_a_blank: Score
    style_b: Score


@dataclass(frozen=True)
class Made:
    """How a base was made; the fields are those of `build.Recipe`, and what they gave."""

    tower_steps: int
    language_steps: int
    seed: int
    threads: int
    parameters: int
    vision_parameters: int
    torch: str
    transformers: str
    machine: str


def model_card(made: Made, figures: Figures) -> str:
    """The card as Markdown with the YAML header that model hubs read."""
    return f"""\
---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
tags: [qwen2_5_vl, toy, charts]
---

# kolm-demo-base

A very small vision-language model of the class `Qwen2_5_VLForConditionalGeneration`, for
kolm's demo and for nothing else. It reads drawn bar charts of 3 to 5 bars. It does not know
English beyond the question forms of style A, and nothing of photographs or documents. It was
made from random weights, is not derived from any published model, and saw no data but charts that
`kolm_cli.demo` drew.

- {made.parameters:,} parameters, {made.vision_parameters:,} of them in `model.visual`; fp16.
- 140 x 140 pixels an image (other sizes are scaled), 25 image tokens.
- A byte-level BPE of its own. Letters and digits are single tokens. Words of questions that it
  was never trained on have tokens, too, whose embeddings are as random as they were drawn.

## How it was made

`python -m kolm_cli.demo.pretrain OUT --tower-steps {made.tower_steps} \
--language-steps {made.language_steps} --seed {made.seed} --threads {made.threads}`
(torch {made.torch}, transformers {made.transformers}, {made.machine}). The same machine, \
versions and
thread count give the same bytes (tested on 20 steps, twice).

1. **Vision tower**, {made.tower_steps} steps of {tower.BATCH} charts. It saw vertical and \
horizontal charts on
   light and on dark backgrounds, **without questions**: throw-away linear heads read label and
   value from each cell of the chart.
2. **Merger and language tower**, {made.language_steps} steps of {language.IMAGES} charts with 8 \
questions each, the vision
   tower frozen. The language tower saw **style A alone**: vertical bars on a light background.
   Beside the answers' cross-entropy, an alignment loss asked the merger to write labelled cells
   near the embeddings of their label and digit; for this the merger also saw
   {language.ALIGNED_IMAGES} charts a step of every direction and background, without questions.

The questions of style A ask for the longest and the shortest bar (six words each, such as
"Which bar is the tallest?", "Give the lowest bar."), a bar's value ("What is the value of X?"), the
bar of a value ("Which bar has the value k?"), a count ("Count the values over k."), and for all of
it ("Write out the chart."). `kolm_cli/demo/questions.py` has every wording.

Style B, which the demo's adapter learns: horizontal bars on a dark background, "Name the longest
bar.", "Name the smallest bar.", "How long is X?", "How many bars are above k?".

## Measured

On charts of a seed that no training used; exact match of the greedy answer, through the stock
processor and `generate`, with the weights as stored. "Write out the chart." is not among them.

| what | rows | accuracy |
|---|---|---|
| style A | {figures.style_a.rows} | {figures.style_a.accuracy:.3f} |
| style A, every image blank | {figures.style_a_blank.rows} | \
{figures.style_a_blank.accuracy:.3f} |
| style B | {figures.style_b.rows} | {figures.style_b.accuracy:.3f} |

By what is asked for:

| question | accuracy |
|---|---|
{_kinds("A", figures.style_a)}{_kinds("A, blank", figures.style_a_blank)}\
{_kinds("B", figures.style_b)}
After stage 1 the heads read label and value of {figures.cells:.3f} of the labelled cells right, on
256 charts of all looks.
"""


def _kinds(style: str, score: Score) -> str:
    return "".join(f"| {style}: {kind} | {share:.3f} |\n" for kind, share in score.kinds.items())
