"""The demo's charts: the same everywhere, right, and never shared by training and evaluation."""

import hashlib
import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from kolm_cli.demo import charts, data, glyphs, questions
from kolm_cli.demo.charts import STYLE_A, STYLE_B, Look, draw, random_source, sample_chart
from kolm_cli.demo.data import EVAL_SEED, TRAIN_SEED, write_chart_data

LOOKS = [Look(horizontal=h, dark=d) for h in (False, True) for d in (False, True)]


def rows_of(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def measured_length(image: Image.Image, chart: charts.Chart, bar: charts.Bar) -> int:
    """Count a bar's pixels along its middle, from the drawing and not from its value."""
    middle = bar.slot * charts.CELL + charts.CELL // 2 + bar.shift
    along = range(charts.SIDE)
    spots = [(at, middle) if chart.look.horizontal else (middle, at) for at in along]
    return sum(image.getpixel(spot) == bar.colour for spot in spots)


@pytest.mark.parametrize("look", LOOKS)
def test_bars_are_as_long_as_their_values_say(look: Look) -> None:
    rng = random_source("length")
    for _ in range(50):
        chart = sample_chart(rng, look)
        image = draw(chart)
        assert image.size == (charts.SIDE, charts.SIDE)
        for bar in chart.bars:
            assert measured_length(image, chart, bar) == charts.UNIT * bar.value


@pytest.mark.parametrize("look", LOOKS)
def test_each_label_stands_in_the_cell_that_the_chart_names(look: Look) -> None:
    rng = random_source("label")
    for _ in range(50):
        chart = sample_chart(rng, look)
        image = draw(chart)
        for bar in chart.bars:
            row, column = divmod(chart.cell(bar), charts.SLOTS)
            x, y = column * charts.CELL, row * charts.CELL
            cell = image.crop((x, y, x + charts.CELL, y + charts.CELL))
            ink = sum(cell.getpixel((i, j)) == chart.ink for i in range(28) for j in range(28))
            drawn = glyphs.glyph(bar.label).histogram()[255]
            assert drawn <= ink <= drawn + charts.CELL  # the axis may be in the cell, too


def test_labels_and_values_are_unique_in_a_chart() -> None:
    rng = random_source("unique")
    for _ in range(500):
        bars = sample_chart(rng, STYLE_A).bars
        assert len({bar.label for bar in bars}) == len({bar.value for bar in bars}) == len(bars)
        assert 3 <= len(bars) <= 5


def test_answers_follow_from_the_bars() -> None:
    rng = random_source("answers")
    for _ in range(300):
        chart = sample_chart(rng, STYLE_B)
        values = {bar.label: bar.value for bar in chart.bars}
        asked = questions.style_a(chart, rng) + questions.style_b(chart, rng)
        for prompt, answer in asked:
            words = set(re.findall("[a-z]+", prompt))
            if words & {*questions._MOST, "longest"}:
                assert values[answer] == max(values.values())
            elif words & {*questions._LEAST, "smallest"}:
                assert values[answer] == min(values.values())
            elif match := re.search(r"[Rr]ead ([A-H])|(?:value of|long is) ([A-H])", prompt):
                assert answer == str(values[match[1] or match[2]])
            elif re.search("bar.* value", prompt):
                assert f"value {values[answer]}" in prompt
            elif match := re.search(r"(?:[Oo]ver|than|above) (\d)", prompt):
                assert answer == str(sum(value > int(match[1]) for value in values.values()))
            else:
                assert prompt == "Write out the chart."
                assert answer == " ".join(f"{label}{value}" for label, value in values.items())


def test_the_styles_share_no_question() -> None:
    rng = random_source("wording")
    chart = sample_chart(rng, STYLE_A)
    first = {question.prompt for question in questions.style_a(chart, rng)}
    second = {question.prompt for question in questions.style_b(chart, rng)}
    assert not first & second


def test_the_same_seed_gives_the_same_pixels_on_every_machine() -> None:
    """A changed digest here means that every demo data set and base made before is another one."""
    digest = hashlib.sha256()
    rng = random_source(1)
    for look in LOOKS * 4:
        digest.update(draw(sample_chart(rng, look)).tobytes())
    assert digest.hexdigest() == "3bf9633af454e9884354c5b4dd85f19af932ed5d7a26864dad56e089cba8cb49"


def test_writing_twice_gives_the_same_files(tmp_path: Path) -> None:
    first = write_chart_data(tmp_path / "1", style="B", rows=30, seed=5)
    random.seed(0)  # the global generator must not matter
    second = write_chart_data(tmp_path / "2", style="B", rows=30, seed=5)
    files = sorted(p.relative_to(tmp_path / "1") for p in (tmp_path / "1").rglob("*.*"))
    assert len(files) == 9
    for file in files:
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()
    assert first.read_bytes() == second.read_bytes()


def test_rows_have_their_images_and_take_turns_in_kind(tmp_path: Path) -> None:
    path = write_chart_data(tmp_path, style="B", rows=10, seed=3, questions_per_image=1)
    rows = rows_of(path)
    assert len(rows) == 10
    assert all((tmp_path / row["image"]).is_file() for row in rows)
    assert len({row["image"] for row in rows}) == 10
    assert [row["prompt"].split()[2] for row in rows[:4]] == ["longest", "smallest", "is", "bars"]


def test_the_evaluation_shares_no_picture_and_no_chart_with_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents: list[set[tuple[tuple[str, int], ...]]] = []

    def remember(chart: charts.Chart) -> Image.Image:
        contents[-1].add(tuple((bar.label, bar.value) for bar in chart.bars))
        return draw(chart)

    monkeypatch.setattr(data.charts, "draw", remember)
    pictures = []
    for seed, rows in ((TRAIN_SEED, 3000), (EVAL_SEED, 240)):
        contents.append(set())
        path = write_chart_data(tmp_path / str(seed), style="B", rows=rows, seed=seed)
        images = (path.parent / "images").iterdir()
        pictures.append({hashlib.sha256(image.read_bytes()).digest() for image in images})
    assert len(pictures[0]) == 750
    assert len(pictures[1]) == 60
    assert not pictures[0] & pictures[1]
    assert not contents[0] & contents[1]


def test_no_answer_is_common(tmp_path: Path) -> None:
    """Neither over all rows, nor among those of one kind of question."""
    path = write_chart_data(tmp_path, style="B", rows=2000, seed=9)
    rows = rows_of(path)
    assert max(Counter(row["response"] for row in rows).values()) <= 0.11 * len(rows)
    for word, most in {"longest": 0.18, "smallest": 0.18, "long": 0.18, "many": 0.30}.items():
        kind = [row["response"] for row in rows if word in row["prompt"]]
        assert max(Counter(kind).values()) <= most * len(kind)


@pytest.mark.parametrize(
    ("rows", "per_image", "wrong"), [(0, 4, "rows"), (5, 0, "per_image"), (5, 5, "per_image")]
)
def test_numbers_out_of_range_are_refused(
    tmp_path: Path, rows: int, per_image: int, wrong: str
) -> None:
    with pytest.raises(ValueError, match=wrong):
        write_chart_data(tmp_path, style="B", rows=rows, seed=1, questions_per_image=per_image)
    assert not list(tmp_path.iterdir())
