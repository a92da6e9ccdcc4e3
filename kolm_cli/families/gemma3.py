"""Gemma 3: SigLIP pooled to a fixed count of tokens, which see each other both ways."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kolm_cli.families.base import Family, Paper
from kolm_cli.families.tiny import templates, tokens, towers

_SPECIAL = (
    "<bos>",
    "<eos>",
    "<pad>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_of_image>",
    "<end_of_image>",
    "<image_soft_token>",
)


@dataclass(frozen=True)
class Gemma3(Family):
    """Gemma 3 (arXiv:2503.19786)."""

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base: images of 56 px in sixteen patches, pooled to four tokens."""
        from transformers import (
            Gemma3Config,
            Gemma3ForConditionalGeneration,
            Gemma3ImageProcessor,
            Gemma3Processor,
        )

        config = Gemma3Config(
            text_config=towers.decoder(
                width, layers, _SPECIAL, bos="<bos>", eos="<end_of_turn>", pad="<pad>"
            ),
            vision_config={"vision_use_head": False, **towers.tower(image=56, patch=14)},
            mm_tokens_per_image=4,
            boi_token_index=tokens.token_id(_SPECIAL, "<start_of_image>"),
            eoi_token_index=tokens.token_id(_SPECIAL, "<end_of_image>"),
            image_token_index=tokens.token_id(_SPECIAL, "<image_soft_token>"),
            tie_word_embeddings=True,
        )
        processor = Gemma3Processor(
            image_processor=Gemma3ImageProcessor(size={"height": 56, "width": 56}),
            tokenizer=tokens.byte_tokenizer(
                _SPECIAL,
                bos="<bos>",
                eos="<eos>",
                pad="<pad>",
                add_bos=True,
                boi_token="<start_of_image>",
                eoi_token="<end_of_image>",
                image_token="<image_soft_token>",
            ),
            image_seq_length=4,
            chat_template=templates.GEMMA3,
        )
        towers.write(folder, Gemma3ForConditionalGeneration, config, processor, seed=seed)


FAMILY = Gemma3(
    name="gemma3",
    model_types=("gemma3",),
    id_patterns=("*gemma-3-4b*", "*gemma-3-12b*", "*gemma-3-27b*", "*medgemma-4b*"),
    written_for=("google/gemma-3-4b-it", "google/gemma-3-12b-it", "google/gemma-3-27b-it"),
    papers=(Paper("Gemma 3 Technical Report", "https://arxiv.org/abs/2503.19786"),),
    vision=("model.vision_tower",),
    projector=("model.multi_modal_projector",),
    language=("model.language_model",),
    end_tokens=("<end_of_turn>",),
)
