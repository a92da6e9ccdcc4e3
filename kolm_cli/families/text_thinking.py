"""Text-only models that can think before they answer: Qwen3 and SmolLM3, asked not to."""

from __future__ import annotations

from kolm_cli.families.base import Paper, Takes
from kolm_cli.families.text import TextOnly

# The templates write an empty thought before the last answer and drop those of earlier turns, so
# that a second turn rewrites the first: several turns cannot be trained as they would be seen.
FAMILY = TextOnly(
    name="text_thinking",
    model_types=("qwen3", "smollm3"),
    id_patterns=("*qwen3-[0-9]*", "*smollm3*"),
    written_for=("Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B", "HuggingFaceTB/SmolLM3-3B"),
    papers=(Paper("Qwen3 Technical Report", "https://arxiv.org/abs/2505.09388"),),
    takes=Takes(images=False, several_images=False, several_turns=False),
)
