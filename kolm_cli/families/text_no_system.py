"""Text-only models whose templates take no system prompt: Mistral, and Gemma 1 and 2."""

from __future__ import annotations

from kolm_cli.families.base import Paper, Takes
from kolm_cli.families.text import TextOnly

# Mistral's template moves a system prompt to the last question, so that a later turn rewrites an
# earlier one; Gemma's raises.
FAMILY = TextOnly(
    name="text_no_system",
    model_types=("mistral", "gemma", "gemma2"),
    id_patterns=("*mistral-7b*", "*gemma-2b*", "*gemma-7b*", "*gemma-2-[0-9]*"),
    written_for=("mistralai/Mistral-7B-Instruct-v0.3", "google/gemma-2-2b-it"),
    papers=(
        Paper("Mistral 7B", "https://arxiv.org/abs/2310.06825"),
        Paper(
            "Gemma 2: Improving Open Language Models at a Practical Size",
            "https://arxiv.org/abs/2408.00118",
        ),
    ),
    takes=Takes(images=False, several_images=False, system=False),
    end_tokens=("<end_of_turn>",),
)
