"""Llama 3.2 Vision: cross-attention between the towers; known, and refused."""

from __future__ import annotations

from kolm_cli.families.base import Family, Paper
from kolm_cli.families.support import Unsupported

FAMILY = Family(
    name="mllama",
    model_types=("mllama",),
    id_patterns=("*llama-3.2-11b-vision*", "*llama-3.2-90b-vision*"),
    written_for=("meta-llama/Llama-3.2-11B-Vision-Instruct",),
    papers=(Paper("The Llama 3 Herd of Models", "https://arxiv.org/abs/2407.21783"),),
    support=Unsupported(
        "it sees images through cross-attention: a batch cannot mix rows with and without images,"
        " and a cut image token raises nothing"
    ),
    vision=("model.vision_model",),
    projector=("model.multi_modal_projector",),
    language=("model.language_model",),
)
