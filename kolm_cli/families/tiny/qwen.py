"""What the tiny bases of the Qwen-VL families share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kolm_cli.families.tiny import tokens

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
_FIRST = 256

# The published template in shape: a default system prompt, vision marks around each image.
TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def token_ids() -> dict[str, int]:
    """The ids that a Qwen-VL config names."""
    return {
        f"{name}_token_id": _FIRST + SPECIAL.index(token)
        for name, token in {
            "vision_start": "<|vision_start|>",
            "vision_end": "<|vision_end|>",
            "image": "<|image_pad|>",
            "video": "<|video_pad|>",
        }.items()
    }


def text_config(width: int, layers: int) -> dict[str, Any]:
    """A language tower of `layers` blocks; heads of `width / 4`, grouped two and two."""
    third = width // 4 // 2 // 4
    return {
        "vocab_size": _FIRST + len(SPECIAL),
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [2 * third, third, third],
        },
        "bos_token_id": _FIRST,
        "eos_token_id": _FIRST + SPECIAL.index("<|im_end|>"),
        "pad_token_id": _FIRST,
        "tie_word_embeddings": True,
    }


def processor() -> Any:
    """The stock processor with a byte tokenizer; images of 28 to 56 px a side keep it quick."""
    from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessor, Qwen2VLVideoProcessor

    tokenizer = tokens.byte_tokenizer(
        SPECIAL,
        eos="<|im_end|>",
        pad="<|endoftext|>",
        image_token="<|image_pad|>",
        video_token="<|video_pad|>",
    )
    size = {"shortest_edge": 28 * 28, "longest_edge": 28 * 28 * 16}
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=size),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=TEMPLATE,
    )


def write(folder: Path, model_class: Any, config: Any, *, seed: int) -> None:
    """Make the model from `seed` and save it with its processor."""
    import torch

    torch.manual_seed(seed)
    model = model_class(config)
    model.generation_config.eos_token_id = config.text_config.eos_token_id
    model.generation_config.pad_token_id = config.text_config.pad_token_id
    model.save_pretrained(folder)
    processor().save_pretrained(folder)
