"""Mistral Small 3.1 and later: Pixtral's tower at native resolution, with patches merged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.families.base import Family, Paper
from kolm_cli.families.tiny import templates, tokens, towers

SPECIAL = (
    "<s>",
    "</s>",
    "<pad>",
    "[INST]",
    "[/INST]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[IMG]",
    "[IMG_BREAK]",
    "[IMG_END]",
)


def pixtral_processor(template: str, *, merge: int) -> Any:
    """The stock processor with a byte tokenizer; images of at most 56 px, patches of 14 px."""
    from transformers import PixtralImageProcessor, PixtralProcessor

    return PixtralProcessor(
        image_processor=PixtralImageProcessor(
            size={"longest_edge": 56}, patch_size={"height": 14, "width": 14}
        ),
        tokenizer=tokens.byte_tokenizer(SPECIAL, bos="<s>", eos="</s>", pad="<pad>", add_bos=True),
        patch_size=14,
        spatial_merge_size=merge,
        chat_template=template,
    )


def text_config(width: int, layers: int) -> dict[str, Any]:
    """Mistral's language tower."""
    decoder = towers.decoder(width, layers, SPECIAL, bos="<s>", eos="</s>", pad="<pad>")
    return {"model_type": "mistral", **decoder}


def vision_config() -> dict[str, Any]:
    """Pixtral's tower."""
    return {"model_type": "pixtral", "head_dim": 16, **towers.tower(image=56, patch=14)}


@dataclass(frozen=True)
class Mistral3(Family):
    """Mistral Small 3.1, 3.2 and Ministral 3 with vision."""

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base: images of at most 56 px, patches of 14 px merged two by two."""
        from transformers import Mistral3Config, Mistral3ForConditionalGeneration

        config = Mistral3Config(
            text_config=text_config(width, layers),
            vision_config=vision_config(),
            image_token_index=tokens.token_id(SPECIAL, "[IMG]"),
            vision_feature_layer=-1,
            spatial_merge_size=2,
        )
        processor = pixtral_processor(templates.MISTRAL3, merge=2)
        towers.write(folder, Mistral3ForConditionalGeneration, config, processor, seed=seed)


FAMILY = Mistral3(
    name="mistral3",
    model_types=("mistral3",),
    id_patterns=("*mistral-small-3.[1-9]*", "*ministral-3-*"),
    written_for=(
        "mistralai/Mistral-Small-3.1-24B-Instruct-2503",
        "mistralai/Mistral-Small-3.2-24B-Instruct-2506",
    ),
    papers=(Paper("Pixtral 12B", "https://arxiv.org/abs/2410.07073"),),
    vision=("model.vision_tower",),
    projector=("model.multi_modal_projector",),
    language=("model.language_model",),
)
