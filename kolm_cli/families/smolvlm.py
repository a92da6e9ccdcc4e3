"""SmolVLM2: Idefics3's architecture with its own class, and a processor that needs num2words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.families.base import Paper
from kolm_cli.families.idefics3 import SPECIAL, Idefics3
from kolm_cli.families.tiny import templates, tokens, towers


@dataclass(frozen=True)
class SmolVLM(Idefics3):
    """SmolVLM2 (arXiv:2504.05299)."""

    def load_processor(self, source: str, **options: Any) -> Any:
        """The processor.

        Raises:
            LackingError: the package `num2words` is missing.
        """
        _need_num2words()
        return super().load_processor(source, **options)

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base: crops of 28 px in four patches, joined to one token."""
        _need_num2words()
        from transformers import (
            SmolVLMConfig,
            SmolVLMForConditionalGeneration,
            SmolVLMImageProcessor,
            SmolVLMProcessor,
            SmolVLMVideoProcessor,
        )

        start, end, pad = "<|im_start|>", "<end_of_utterance>", "<pad>"
        config = SmolVLMConfig(
            text_config={
                "model_type": "llama",
                **towers.decoder(width, layers, SPECIAL, bos=start, eos=end, pad=pad),
            },
            vision_config=towers.tower(image=28, patch=14),
            image_token_id=tokens.token_id(SPECIAL, "<image>"),
            pad_token_id=tokens.token_id(SPECIAL, pad),
            scale_factor=2,
        )
        size, largest = {"longest_edge": 56}, {"longest_edge": 28}
        processor = SmolVLMProcessor(
            image_processor=SmolVLMImageProcessor(size=size, max_image_size=largest),
            tokenizer=tokens.byte_tokenizer(SPECIAL, bos=start, eos=end, pad=pad),
            video_processor=SmolVLMVideoProcessor(size=size, max_image_size=largest),
            image_seq_len=1,
            chat_template=templates.idefics(start),
        )
        towers.write(folder, SmolVLMForConditionalGeneration, config, processor, seed=seed)


def _need_num2words() -> None:
    import importlib.util

    if importlib.util.find_spec("num2words") is None:
        raise LackingError(
            Problem(
                "SmolVLM's processor needs the package num2words",
                where="base.model",
                fix="run `pip install num2words`",
            )
        )


FAMILY = SmolVLM(
    name="smolvlm",
    model_types=("smolvlm",),
    id_patterns=("*smolvlm2*",),
    written_for=(
        "HuggingFaceTB/SmolVLM2-2.2B-Instruct",
        "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
        "HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
    ),
    papers=(
        Paper(
            "SmolVLM: Redefining small and efficient multimodal models",
            "https://arxiv.org/abs/2504.05299",
        ),
    ),
    vision=("model.vision_model",),
    projector=("model.connector",),
    language=("model.text_model",),
    end_tokens=("<end_of_utterance>",),
    image_keys=("pixel_values", "pixel_attention_mask"),
)
