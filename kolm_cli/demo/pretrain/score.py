"""Accuracy of a base on chart data, through the stock processor and `generate`."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

from kolm_cli.demo.data import Style
from kolm_cli.demo.questions import KINDS


@dataclass(frozen=True)
class Score:
    """Exact-match accuracy over all rows and per kind of question."""

    accuracy: float
    kinds: dict[str, float]
    rows: int


def score(
    model: Qwen2_5_VLForConditionalGeneration,
    processor: Qwen2_5_VLProcessor,
    data: Path,
    style: Style,
    *,
    blank: bool = False,
    batch_size: int = 64,
) -> Score:
    """Greedy answers to every row of a JSONL file that `write_chart_data` wrote.

    Args:
        model: in evaluation mode, on the CPU.
        processor: its processor.
        data: the JSONL file.
        style: of the file, which says the kind of each row.
        blank: put a white image in place of every picture.
        batch_size: rows answered at a time.
    """
    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    asked: Counter[str] = Counter()
    right: Counter[str] = Counter()
    names = KINDS[style]
    for at in range(0, len(rows), batch_size):
        batch = rows[at : at + batch_size]
        images: list[Image.Image] = [Image.open(data.parent / row["image"]) for row in batch]
        if blank:
            images = [Image.new("RGB", image.size, "white") for image in images]
        answers = answer(model, processor, images, [row["prompt"] for row in batch])
        for number, (row, given) in enumerate(zip(batch, answers, strict=True), at):
            kind = names[number % len(names)]
            asked[kind] += 1
            right[kind] += given == row["response"]
    kinds = {kind: right[kind] / asked[kind] for kind in asked}
    return Score(right.total() / len(rows), kinds, len(rows))


def answer(
    model: Qwen2_5_VLForConditionalGeneration,
    processor: Qwen2_5_VLProcessor,
    images: list[Image.Image],
    prompts: list[str],
) -> list[str]:
    """One greedy answer for each image and prompt, at most 32 tokens long."""
    texts = [
        processor.apply_chat_template(
            [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}],
            add_generation_prompt=True,
        )
        for prompt in prompts
    ]
    inputs = processor(
        text=texts, images=images, return_tensors="pt", padding=True, padding_side="left"
    )
    with torch.no_grad():
        tokens = model.generate(**inputs, max_new_tokens=32)
    decoded: list[str] = processor.batch_decode(
        tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
    )
    return decoded
