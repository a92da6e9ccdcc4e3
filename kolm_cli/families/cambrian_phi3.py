"""Cambrian-1 with Phi-3-mini, natively: the encoders and connector of the larger ones."""

from __future__ import annotations

from dataclasses import replace

from kolm_cli.families.cambrian import FAMILY as CAMBRIAN
from kolm_cli.families.phi3_v import FAMILY as PHI3_V

FAMILY = replace(
    CAMBRIAN,
    name="cambrian_phi3",
    model_types=("cambrian_phi3",),
    id_patterns=("*cambrian-phi3-3b*", "*cambrian-3b*"),
    written_for=("nyu-visionx/cambrian-phi3-3b",),
    lora_default=PHI3_V.lora_default,
    end_tokens=PHI3_V.end_tokens,
)
