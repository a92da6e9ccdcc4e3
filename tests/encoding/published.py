"""Processors with published tokenizers and image settings; `make test-published` fetches them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from kolm_cli.encoding.encoder import Encoder, Limits
from kolm_cli.families.catalog import by_name
from kolm_cli.families.tiny import templates
from kolm_cli.families.tiny.catalog import makers

FOLDER = Path(__file__).parents[2] / "build" / "published"


def tokenizer(name: str, **named: str) -> Any:
    """A published tokenizer, with tokens that a processor asks its tokenizer for."""
    from transformers import PreTrainedTokenizerFast

    said = json.loads((FOLDER / name / "tokenizer_config.json").read_bytes())
    kept = ("bos_token", "eos_token", "pad_token", "unk_token", "chat_template")
    return PreTrainedTokenizerFast(
        tokenizer_file=str(FOLDER / name / "tokenizer.json"),
        clean_up_tokenization_spaces=False,
        **{key: said[key] for key in kept if said.get(key)},
        **named,
    )


def _tiny(name: str) -> Any:
    """The processor of the tiny base: its template has the quirks of the published one."""
    family = by_name(name)
    assert family is not None
    return next(iter(makers(family).values()))(64, 2).processor


def _qwen(name: str, patch: int, least: int, most: int) -> Any:
    from transformers import Qwen2VLImageProcessor

    tiny = _tiny(name)
    own = tokenizer("qwen3", image_token="<|image_pad|>", video_token="<|video_pad|>")
    return type(tiny)(
        image_processor=Qwen2VLImageProcessor(
            patch_size=patch, size={"shortest_edge": least, "longest_edge": most}
        ),
        tokenizer=own,
        video_processor=tiny.video_processor,
        chat_template=tiny.chat_template,
    )


def _idefics3() -> Any:
    from transformers import Idefics3ImageProcessor, Idefics3Processor

    own = tokenizer("llama3")
    marks = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>"]
    marks += [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    own.add_special_tokens({"additional_special_tokens": marks, "pad_token": "<|end_of_text|>"})
    return Idefics3Processor(
        image_processor=Idefics3ImageProcessor(
            size={"longest_edge": 4 * 364}, max_image_size={"longest_edge": 364}
        ),
        tokenizer=own,
        image_seq_len=169,
        chat_template=templates.idefics("<|begin_of_text|>"),
    )


def _gemma3() -> Any:
    from transformers import Gemma3ImageProcessor, Gemma3Processor

    own = tokenizer(
        "gemma3",
        boi_token="<start_of_image>",
        eoi_token="<end_of_image>",
        image_token="<image_soft_token>",
    )
    return Gemma3Processor(
        image_processor=Gemma3ImageProcessor(size={"height": 896, "width": 896}),
        tokenizer=own,
        image_seq_length=256,
        # Gemma 3's own, which the package carries.
        chat_template=own.chat_template,
    )


def _llava_next() -> Any:
    """Its tokenizer is the tiny one; here only the pictures count."""
    from transformers import LlavaNextImageProcessor, LlavaNextProcessor

    tiny = _tiny("llava_next")
    grids = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
    return LlavaNextProcessor(
        image_processor=LlavaNextImageProcessor(
            size={"shortest_edge": 336},
            crop_size={"height": 336, "width": 336},
            image_grid_pinpoints=grids,
        ),
        tokenizer=tiny.tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tiny.chat_template,
    )


def _llama3() -> Any:
    """With the template of Llama 3.1 and later in shape; the package has Llama 3's."""
    own = tokenizer("llama3")
    own.chat_template = templates.LLAMA3
    return own


MADE: dict[str, Callable[[], Any]] = {
    "qwen2_5_vl": lambda: _qwen("qwen2_5_vl", 14, 56 * 56, 28 * 28 * 16384),
    "qwen3_vl": lambda: _qwen("qwen3_vl", 16, 65_536, 16_777_216),
    "idefics3": _idefics3,
    "gemma3": _gemma3,
    "text": _llama3,
    "text_published_template": lambda: tokenizer("llama3"),
    "text_thinking": lambda: tokenizer("qwen3"),
    "llava_next": _llava_next,
}


@cache
def encoder(name: str) -> Encoder:
    """Encodes rows of a family with its published processor, saved and loaded again."""
    from tempfile import TemporaryDirectory

    family = by_name(name.removesuffix("_published_template"))
    assert family is not None
    with TemporaryDirectory() as folder:
        MADE[name]().save_pretrained(folder)
        return Encoder(family, family.load_processor(folder), Limits())
