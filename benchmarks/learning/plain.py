"""The same budget with plain transformers and peft, as their documentation has it: no kolm.

LoRA on layers of the same names wherever they are, the loss on the answer, AdamW with a linear
schedule. The projector stays as it is, since PEFT does not train it unless told.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, get_linear_schedule_with_warmup

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def _rows(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "data.jsonl").read_text().splitlines()]


def _texts(processor: Any, rows: list[dict[str, str]]) -> list[str]:
    """What the model is asked, in its own template."""
    content = [[{"type": "image"}, {"type": "text", "text": row["prompt"]}] for row in rows]
    return [
        processor.apply_chat_template(
            [{"role": "user", "content": parts}], add_generation_prompt=True, tokenize=False
        )
        for parts in content
    ]


def _inputs(processor: Any, folder: Path, rows: list[dict[str, str]], texts: list[str]) -> Any:
    images = [[Image.open(folder / row["image"]).convert("RGB")] for row in rows]
    return processor(text=texts, images=images, padding=True, return_tensors="pt")


def accuracy(base: Path, folder: Path, train: dict[str, Any], seed: int) -> float:
    """Train on `folder/train`, and the share of `folder/eval` that is answered exactly."""
    torch.manual_seed(seed)
    processor = AutoProcessor.from_pretrained(base)
    model = AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(
        r=train["lora_r"], lora_alpha=train["lora_alpha"], target_modules=TARGETS, lora_dropout=0.0
    )
    model = get_peft_model(model, config)
    rows, batch = _rows(folder / "train"), train["per_device_train_batch_size"]
    steps = -(-len(rows) // batch) * train["num_train_epochs"]
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=train["learning_rate"], weight_decay=0.0)
    schedule = get_linear_schedule_with_warmup(optimizer, round(0.03 * steps), steps)
    end = processor.tokenizer.eos_token
    processor.tokenizer.padding_side = "right"
    model.train()
    for _ in range(train["num_train_epochs"]):
        order = torch.randperm(len(rows)).tolist()
        for first in range(0, len(rows), batch):
            part = [rows[i] for i in order[first : first + batch]]
            asked = _texts(processor, part)
            full = [q + row["response"] + end for q, row in zip(asked, part, strict=True)]
            inputs = _inputs(processor, folder / "train", part, full)
            prompts = _inputs(processor, folder / "train", part, asked)
            labels = inputs["input_ids"].clone()
            labels[inputs["attention_mask"] == 0] = -100
            for row, length in enumerate(prompts["attention_mask"].sum(1).tolist()):
                labels[row, :length] = -100
            model(**inputs, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    return _score(model.eval(), processor, folder / "eval")


@torch.no_grad()
def _score(model: Any, processor: Any, folder: Path) -> float:
    processor.tokenizer.padding_side = "left"
    rows, right = _rows(folder), 0
    for first in range(0, len(rows), 16):
        part = rows[first : first + 16]
        inputs = _inputs(processor, folder, part, _texts(processor, part))
        said = model.generate(**inputs, max_new_tokens=8, do_sample=False)
        texts = processor.batch_decode(
            said[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        right += sum(t.strip() == row["response"] for t, row in zip(texts, part, strict=True))
    return right / len(rows)
