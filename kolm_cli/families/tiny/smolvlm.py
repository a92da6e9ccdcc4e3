"""SmolVLM2: Idefics3's architecture with its own class, and a processor that needs num2words."""

from __future__ import annotations

from kolm_cli.families.smolvlm import need_num2words
from kolm_cli.families.tiny import templates, tokens
from kolm_cli.families.tiny.idefics3 import SPECIAL, config
from kolm_cli.families.tiny.pieces import Maker, Pieces


def make(width: int, layers: int) -> Pieces:
    """A random base: crops of 28 px in four patches, joined to one token."""
    need_num2words()
    from transformers import (
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    start, end, pad = "<|im_start|>", "<end_of_utterance>", "<pad>"
    size, largest = {"longest_edge": 56}, {"longest_edge": 28}
    processor = SmolVLMProcessor(
        image_processor=SmolVLMImageProcessor(size=size, max_image_size=largest),
        tokenizer=tokens.byte_tokenizer(SPECIAL, bos=start, eos=end, pad=pad),
        video_processor=SmolVLMVideoProcessor(size=size, max_image_size=largest),
        image_seq_len=1,
        chat_template=templates.idefics(start),
    )
    made = config(SmolVLMConfig, width, layers, start=start)
    return Pieces(SmolVLMForConditionalGeneration, made, processor)


VARIANTS: dict[str, Maker] = {"": make}
