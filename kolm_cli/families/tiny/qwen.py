"""What the tiny bases of the Qwen-VL families share."""

from __future__ import annotations

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

_DEFAULT_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
)
# The published template in shape: vision marks around each image.
_TURNS = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
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


def vision_config(width: int, patch_size: int) -> dict[str, Any]:
    """The tower of Qwen2.5-VL and later: two blocks, patches merged two by two to `width`."""
    return {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": width,
        "patch_size": patch_size,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    }


def processor(
    processor_class: Any,
    video_class: Any = None,
    *,
    patch_size: int = 14,
    default_system: bool = True,
    template: str = _TURNS,
) -> Any:
    """The stock processor with a byte tokenizer; images of at most 16 merged patches.

    Args:
        processor_class: the family's processor.
        video_class: its video processor; Qwen2-VL's by default.
        patch_size: pixels of a patch's side.
        default_system: whether the template writes a system prompt where there is none.
        template: the chat template after that.
    """
    from transformers import Qwen2VLImageProcessor, Qwen2VLVideoProcessor

    tokenizer = tokens.byte_tokenizer(
        SPECIAL,
        eos="<|im_end|>",
        pad="<|endoftext|>",
        image_token="<|image_pad|>",
        video_token="<|video_pad|>",
    )
    merged = (2 * patch_size) ** 2
    size = {"shortest_edge": merged, "longest_edge": merged * 16}
    return processor_class(
        image_processor=Qwen2VLImageProcessor(size=size, patch_size=patch_size),
        tokenizer=tokenizer,
        video_processor=(video_class or Qwen2VLVideoProcessor)(),
        chat_template=(_DEFAULT_SYSTEM if default_system else "") + template,
    )
