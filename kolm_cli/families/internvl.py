"""InternVL (the transformers-native conversions): tiles of an image before Qwen2 or Llama."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.families.base import Family, Paper
from kolm_cli.families.tiny import templates, tokens, towers

_SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<img>",
    "</img>",
    "<IMG_CONTEXT>",
    "<video>",
)


@dataclass(frozen=True)
class InternVL(Family):
    """InternVL 3 and later (arXiv:2504.10479)."""

    def encode(self, processor: Any, text: str, images: list[Any]) -> dict[str, Any]:
        """Make the tensors here: the processor would try to make one of the replacements too."""
        import torch

        features = dict(processor(text=[text], **self.encode_options(processor, text, images)))
        for key in ("input_ids", "attention_mask", "offset_mapping"):
            features[key] = torch.tensor(features[key])
        if images:
            features["pixel_values"] = torch.stack(list(features["pixel_values"]))
        return features

    def never_used(self, model: Any) -> tuple[str, ...]:
        """The last norm stands where mean pooling would be, which nothing reads."""
        return (*super().never_used(model), "model.vision_tower.layernorm.*")

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base: tiles of 28 px in four patches, joined to one token."""
        from transformers import (
            GotOcr2ImageProcessor,
            InternVLConfig,
            InternVLForConditionalGeneration,
            InternVLProcessor,
            InternVLVideoProcessor,
        )

        end, pad = "<|im_end|>", "<|endoftext|>"
        config = InternVLConfig(
            text_config={
                "model_type": "qwen2",
                **towers.decoder(width, layers, _SPECIAL, bos=None, eos=end, pad=pad),
            },
            vision_config=towers.tower(image=28, patch=14),
            image_token_id=tokens.token_id(_SPECIAL, "<IMG_CONTEXT>"),
            image_seq_length=1,
            tie_word_embeddings=True,
        )
        size = {"height": 28, "width": 28}
        processor = InternVLProcessor(
            image_processor=GotOcr2ImageProcessor(size=size, max_patches=4),
            tokenizer=tokens.byte_tokenizer(
                _SPECIAL,
                eos=end,
                pad=pad,
                start_image_token="<img>",
                end_image_token="</img>",
                context_image_token="<IMG_CONTEXT>",
                video_token="<video>",
            ),
            video_processor=InternVLVideoProcessor(size=size),
            image_seq_length=1,
            chat_template=templates.INTERNVL,
        )
        towers.write(folder, InternVLForConditionalGeneration, config, processor, seed=seed)


FAMILY = InternVL(
    name="internvl",
    model_types=("internvl",),
    id_patterns=("*internvl*",),
    written_for=(
        "OpenGVLab/InternVL3-1B-hf",
        "OpenGVLab/InternVL3-8B-hf",
        "OpenGVLab/InternVL3_5-8B-HF",
    ),
    papers=(
        Paper(
            "InternVL3: Exploring Advanced Training and Test-Time Recipes",
            "https://arxiv.org/abs/2504.10479",
        ),
    ),
    vision=("model.vision_tower",),
    projector=("model.multi_modal_projector",),
    language=("model.language_model",),
)
