"""Chart questions as a data set: a JSONL file beside its images."""

import json
from pathlib import Path
from typing import Literal

from kolm_cli.demo import charts, questions

Style = Literal["A", "B"]

TRAIN_SEED = 1
EVAL_SEED = 2
"""The demo's own seeds; `tests/demo` shows that the two share no image and no chart."""


def write_chart_data(
    folder: Path, *, style: Style, rows: int, seed: int, questions_per_image: int = 4
) -> Path:
    """Draw charts and write questions about them.

    Writes `folder/images/00000.png` and so on, and `folder/data.jsonl` with one line a row:
    `{"image": "images/00000.png", "prompt": "…", "response": "…"}`, the path relative to the file.
    The same arguments give the same rows and pixels everywhere.

    Args:
        folder: made if it is missing; files of the same names are replaced.
        style: "A", what the base was taught, or "B", what it was not.
        rows: how many lines to write; the last image gets fewer questions if it must.
        seed: decides everything that is random.
        questions_per_image: how many questions share an image, up to 4 (B) or 7 (A). With fewer
            than all, the kinds take turns: row i is of kind i modulo their number.

    Returns:
        The path of the JSONL file.

    Raises:
        ValueError: `rows` or `questions_per_image` is out of range.
    """
    kinds = len(questions.KINDS[style])
    if rows < 1:
        raise ValueError(f"rows must be at least 1, got {rows}")
    if not 1 <= questions_per_image <= kinds:
        raise ValueError(
            f"questions_per_image must be 1 to {kinds} for style {style}, got {questions_per_image}"
        )
    rng = charts.random_source(seed)
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for number in range(-(-rows // questions_per_image)):
        name = f"images/{number:05d}.png"
        chart = charts.sample_chart(rng, charts.STYLE_A if style == "A" else charts.STYLE_B)
        asked = (questions.style_a if style == "A" else questions.style_b)(chart, rng)[:kinds]
        charts.draw(chart).save(folder / name)
        first = number * questions_per_image
        for turn in range(first, min(first + questions_per_image, rows)):
            question = asked[turn % kinds]
            lines.append(
                json.dumps({"image": name, "prompt": question.prompt, "response": question.answer})
            )
    target = folder / "data.jsonl"
    target.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return target
