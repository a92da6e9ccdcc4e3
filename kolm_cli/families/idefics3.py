"""Idefics3: SigLIP, pixel shuffle and one linear connector before a Llama."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.families.base import Family, Paper
from kolm_cli.families.tiny import templates, tokens, towers

SPECIAL = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|im_start|>",
    "<pad>",
    "<fake_token_around_image>",
    "<image>",
    "<end_of_utterance>",
    "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
)


@dataclass(frozen=True)
class Idefics3(Family):
    """Idefics3 (arXiv:2408.12637), and the first SmolVLM, which is one."""

    def encode(self, processor: Any, text: str, images: list[Any]) -> dict[str, Any]:
        """Give each crop a place of its own, instead of one padded row of crops a text."""
        features = super().encode(processor, text, images)
        for key in ("pixel_values", "pixel_attention_mask"):
            if key in features:
                features[key] = features[key].flatten(0, 1)
        return features

    def finish_images(self, images: dict[str, Any]) -> None:
        """The model takes [texts, crops, …] and only ever uses the crops in their order.

        All crops of the batch as one row leave no empty slot, however many each text has.
        """
        for key in ("pixel_values", "pixel_attention_mask"):
            if key in images:
                images[key] = images[key].unsqueeze(0)

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base: crops of 28 px in four patches, joined to one token."""
        from transformers import (
            Idefics3Config,
            Idefics3ForConditionalGeneration,
            Idefics3ImageProcessor,
            Idefics3Processor,
        )

        end, pad = "<end_of_utterance>", "<pad>"
        config = Idefics3Config(
            text_config={
                "model_type": "llama",
                **towers.decoder(width, layers, SPECIAL, bos="<|begin_of_text|>", eos=end, pad=pad),
            },
            vision_config=towers.tower(image=28, patch=14),
            image_token_id=tokens.token_id(SPECIAL, "<image>"),
            pad_token_id=tokens.token_id(SPECIAL, pad),
            scale_factor=2,
        )
        processor = Idefics3Processor(
            image_processor=Idefics3ImageProcessor(
                size={"longest_edge": 56}, max_image_size={"longest_edge": 28}
            ),
            tokenizer=tokens.byte_tokenizer(
                SPECIAL,
                add_bos=True,
                bos="<|begin_of_text|>",
                # The published tokenizer's end token is not what ends an answer.
                eos="<|end_of_text|>",
                pad=pad,
            ),
            image_seq_len=1,
            chat_template=templates.idefics("<|begin_of_text|>"),
        )
        towers.write(folder, Idefics3ForConditionalGeneration, config, processor, seed=seed)


FAMILY = Idefics3(
    name="idefics3",
    model_types=("idefics3",),
    id_patterns=("*idefics3*", "*smolvlm-*", "*granite-docling*", "*smoldocling*"),
    written_for=(
        "HuggingFaceM4/Idefics3-8B-Llama3",
        "HuggingFaceTB/SmolVLM-Instruct",
        "HuggingFaceTB/SmolVLM-256M-Instruct",
    ),
    papers=(
        Paper(
            "Building and better understanding vision-language models",
            "https://arxiv.org/abs/2408.12637",
        ),
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
