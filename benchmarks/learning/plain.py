"""The same budget with plain transformers and peft, and a loop as torch's documentation has it.

Nothing of kolm's: rows are rendered by the processor's own template, the loss is the model's on
the answer and its end token, and answers are generated greedily.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, get_linear_schedule_with_warmup

if TYPE_CHECKING:
    from kolm_cli.spec.train import TrainSection

LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# By the whole path: the layers of the language tower alone.
LANGUAGE = rf"model\.language_model\..*\.({'|'.join(LAYERS)})"
Rows = list[dict[str, str]]


def accuracy(base: Path, rows: Rows, pack: Rows, config: TrainSection, *, by_name: bool) -> float:
    """Train on `rows`; the share of `pack` that is answered exactly.

    Args:
        base: the base's folder.
        rows: what is trained on.
        pack: what is asked.
        config: rates, batch, epochs and LoRA's shape.
        by_name: LoRA wherever a layer has one of the usual names, which here reaches into the
            vision tower, and nothing else, as PEFT does when it is given a list of names.
            Otherwise what kolm trains: LoRA in the language tower, and the projector in full.
    """
    torch.manual_seed(config.seed)
    processor = AutoProcessor.from_pretrained(base)
    model = get_peft_model(
        AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32),
        LoraConfig(
            r=config.lora_r,
            lora_alpha=config.lora_alpha,
            lora_dropout=config.lora_dropout,
            target_modules=LAYERS if by_name else LANGUAGE,
        ),
    )
    groups = [{"params": [p for p in model.parameters() if p.requires_grad]}]
    if not by_name:
        projector = [p for name, p in model.named_parameters() if "visual.merger" in name]
        for weight in projector:
            weight.requires_grad_(True)
        groups.append({"params": projector, "lr": config.projector_learning_rate})
    _train(model, processor, rows, config, groups)
    return _score(model.eval(), processor, pack)


def _train(
    model: Any, processor: Any, rows: Rows, config: TrainSection, groups: list[dict[str, Any]]
) -> None:
    batch = config.per_device_train_batch_size
    steps = -(-len(rows) // batch) * config.num_train_epochs
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay)
    warmup = round(config.warmup_ratio * steps)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup, steps)
    weights = [weight for group in groups for weight in group["params"]]
    processor.tokenizer.padding_side = "right"
    examples = [_example(processor, row) for row in rows]
    model.train()
    for _ in range(config.num_train_epochs):
        order = torch.randperm(len(rows)).tolist()
        for first in range(0, len(rows), batch):
            inputs = _joined(processor, [examples[i] for i in order[first : first + batch]])
            model(**inputs).loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, config.max_grad_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()


def _asked(processor: Any, row: dict[str, str]) -> str:
    """What the model is asked, in its own template."""
    content = [{"type": "image"}, {"type": "text", "text": row["prompt"]}]
    text: str = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    return text


def _picture(row: dict[str, str]) -> list[Image.Image]:
    return [Image.open(row["image"]).convert("RGB")]


def _example(processor: Any, row: dict[str, str]) -> dict[str, torch.Tensor]:
    """A row with its labels: its answer and the end token."""
    asked = _asked(processor, row)
    full = asked + row["response"] + processor.tokenizer.eos_token
    inputs = dict(processor(text=[full], images=[_picture(row)], return_tensors="pt"))
    prompt = processor(text=[asked], images=[_picture(row)], return_tensors="pt")
    inputs["labels"] = inputs["input_ids"].clone()
    inputs["labels"][:, : prompt["input_ids"].shape[1]] = -100
    return inputs


def _joined(processor: Any, examples: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """One batch: sequences padded on the right, pictures one after the other."""
    padding = {"input_ids": processor.tokenizer.pad_token_id, "labels": -100}
    longest = max(example["input_ids"].shape[1] for example in examples)

    def padded(key: str, tensor: torch.Tensor) -> torch.Tensor:
        if key in ("pixel_values", "image_grid_thw"):
            return tensor
        missing = longest - tensor.shape[1]
        return torch.nn.functional.pad(tensor, (0, missing), value=padding.get(key, 0))

    return {
        key: torch.cat([padded(key, example[key]) for example in examples]) for key in examples[0]
    }


@torch.no_grad()
def _score(model: Any, processor: Any, pack: Rows) -> float:
    processor.tokenizer.padding_side = "left"
    right = 0
    for first in range(0, len(pack), 16):
        part = pack[first : first + 16]
        inputs = processor(
            text=[_asked(processor, row) for row in part],
            images=[_picture(row) for row in part],
            padding=True,
            return_tensors="pt",
        )
        said = model.generate(**inputs, max_new_tokens=8, do_sample=False)
        texts = processor.batch_decode(
            said[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        right += sum(t.strip() == row["response"] for t, row in zip(texts, part, strict=True))
    return right / len(pack)
