"""The script that makes the base: the same bytes twice, and its shortcuts exact."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

from kolm_cli.demo import charts, questions
from kolm_cli.demo.pretrain import packing, tower, vision
from kolm_cli.demo.pretrain import tokenizer as tok
from kolm_cli.demo.pretrain.language import answer_loss
from kolm_cli.demo.pretrain.model import build_config, build_model, build_processor
from kolm_cli.demo.pretrain.tokenizer import build_tokenizer

Parts = tuple[Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor]


def run_twenty_steps(out: Path, hash_seed: str) -> dict[str, bytes]:
    small = {"tower-steps": 10, "language-steps": 10, "scored-rows": 4, "threads": 1}
    options = [f"--{name}={value}" for name, value in small.items()]
    subprocess.run(
        [sys.executable, "-m", "kolm_cli.demo.pretrain", str(out), *options],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        timeout=600,
    )
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.slow
def test_twenty_steps_twice_give_the_same_bytes(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(run_twenty_steps, tmp_path / "1", "1")
        second = pool.submit(run_twenty_steps, tmp_path / "2", "2")
    assert {"model.safetensors", "tokenizer.json", "README.md"} <= first.result().keys()
    assert first.result() == second.result()


@pytest.fixture(scope="module")
def parts() -> Parts:
    tokenizer = build_tokenizer()
    model = build_model(build_config(tokenizer), seed=0).eval()
    return model, build_processor(tokenizer)


def test_the_batched_tower_equals_the_stock_one(parts: Parts) -> None:
    model, processor = parts
    batch = tower.sample_any(charts.random_source(0), 3)
    images = [charts.draw(chart) for chart in batch]
    with torch.no_grad():
        ours = vision.merge(
            model.model.visual, vision.encode(model.model.visual, vision.pixels(processor, images))
        )
        inputs = processor.image_processor(images, return_tensors="pt")
        stock = model.model.get_image_features(
            pixel_values=inputs["pixel_values"], image_grid_thw=inputs["image_grid_thw"]
        ).pooler_output
    torch.testing.assert_close(ours.flatten(0, 1), torch.cat(list(stock)), atol=1e-5, rtol=1e-5)


def test_packed_questions_cost_what_they_cost_alone(parts: Parts) -> None:
    """The packed loss against the stock forward on what the processor makes of each question."""
    model, processor = parts
    rng = charts.random_source(4)
    charted = [charts.sample_chart(rng, charts.STYLE_A) for _ in range(2)]
    images = [charts.draw(chart) for chart in charted]
    rows = [questions.style_a(chart, rng)[:3] for chart in charted]
    packed = packing.Packer(processor).pack(rows, [1.0] * 3)
    losses = []
    with torch.no_grad():
        visual = model.model.visual
        merged = vision.merge(visual, vision.encode(visual, vision.pixels(processor, images)))
        together = answer_loss(model, packed, merged)
        for image, row in zip(images, rows, strict=True):
            for prompt, answer in row:
                blocks = [{"type": "image"}, {"type": "text", "text": prompt}]
                text = processor.apply_chat_template(
                    [{"role": "user", "content": blocks}], add_generation_prompt=True
                )
                inputs = processor(
                    text=text + answer + tok.TURN_END, images=[image], return_tensors="pt"
                )
                labels = inputs["input_ids"].clone()
                labels[:, :-2] = -100  # all but one token of answer and the turn's end
                losses.append(model(**inputs, labels=labels).loss)
    torch.testing.assert_close(together, torch.stack(losses).mean(), atol=1e-5, rtol=1e-5)


def test_letters_and_digits_are_tokens_of_their_own() -> None:
    tokenizer = build_tokenizer()
    assert tokenizer.tokenize("A3 H9")[:2] == ["A", "3"]
    assert tokenizer.tokenize("How long is C?")[-2:] == ["C", "?"]
    assert tokenizer.tokenize("Name the longest bar.") == [
        "Name",
        *["Ġ" + word for word in ("the", "longest", "bar")],
        ".",
    ]
    text = "naïve → 漢字 <|im_end|>"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_template_takes_blocks_strings_and_several_turns() -> None:
    processor = build_processor(build_tokenizer())
    turns = [
        {"role": "system", "content": "Short."},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Which?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "C"}]},
        {"role": "user", "content": "How many?"},
    ]
    assert processor.apply_chat_template(turns, add_generation_prompt=True) == (
        "<|im_start|>system\nShort.<|im_end|>\n"
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Which?<|im_end|>\n"
        "<|im_start|>assistant\nC<|im_end|>\n"
        "<|im_start|>user\nHow many?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
