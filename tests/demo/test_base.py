"""The shipped base: a checkpoint like any other, small, and honest about itself."""

import re
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
)

from kolm_cli.demo import BASE, charts, questions
from kolm_cli.demo.data import write_chart_data
from kolm_cli.demo.pretrain.score import answer, score

Base = tuple[Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor]


@pytest.fixture(scope="module")
def base() -> Base:
    processor = AutoProcessor.from_pretrained(BASE, local_files_only=True)
    model = AutoModelForImageTextToText.from_pretrained(
        BASE, local_files_only=True, dtype=torch.float32
    )
    return model.eval(), processor


def test_it_is_the_real_class_and_processor(base: Base) -> None:
    model, processor = base
    assert type(model).__name__ == "Qwen2_5_VLForConditionalGeneration"
    assert type(processor).__name__ == "Qwen2_5_VLProcessor"
    assert 2_000_000 <= sum(p.numel() for p in model.parameters()) <= 6_000_000


def test_it_answers_a_chart_of_its_own_style(base: Base) -> None:
    model, processor = base
    rng = charts.random_source("one chart")
    chart = charts.sample_chart(rng, charts.STYLE_A)
    asked = questions.style_a(chart, rng)[:4]
    image = charts.draw(chart)
    given = answer(model, processor, [image] * 4, [question.prompt for question in asked])
    assert given == [question.answer for question in asked]


def test_it_needs_the_picture_and_does_not_know_style_b(base: Base, tmp_path: Path) -> None:
    model, processor = base
    own = write_chart_data(tmp_path / "A", style="A", rows=98, seed=11, questions_per_image=7)
    new = write_chart_data(tmp_path / "B", style="B", rows=100, seed=11)
    assert score(model, processor, own, "A").accuracy >= 0.95
    assert score(model, processor, own, "A", blank=True).accuracy <= 0.30
    assert score(model, processor, new, "B").accuracy <= 0.40


def test_words_it_was_never_taught_are_still_words_apart(base: Base) -> None:
    """Pre-training once pushed all unused tokens one way, so that none could be told apart."""
    model, processor = base
    ids = processor.tokenizer.convert_tokens_to_ids(["Ġlongest", "Ġsmallest", "Ġabove", "Name"])
    vectors = torch.nn.functional.normalize(model.get_input_embeddings().weight[ids], dim=-1)
    likeness = (vectors @ vectors.T).fill_diagonal_(0.0)
    assert likeness.abs().max() < 0.4


def test_its_card_says_what_it_saw_and_scored() -> None:
    card = (BASE / "README.md").read_text(encoding="utf-8")
    assert "license: apache-2.0" in card
    assert "saw **style A alone**" in card
    assert "horizontal charts" in card
    assert "**without questions**" in card
    assert re.search(r"\| style A \| \d+ \| (0\.\d{3}|1\.000) \|", card)
    assert re.search(r"\| style B \| \d+ \| 0\.[0-3]\d{2} \|", card)


def test_it_is_at_most_twelve_megabytes_and_names_no_path() -> None:
    files = [path for path in BASE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 12 * 1024 * 1024
    for path in files:
        if path.suffix != ".safetensors":
            text = path.read_text(encoding="utf-8")
            assert "/work/" not in text
            assert "/tmp" not in text
