"""Text-only models that can think before they answer: Qwen3 and SmolLM3, asked not to."""

from __future__ import annotations

from kolm_cli.families.base import Paper, Takes
from kolm_cli.families.text import Kind, TextOnly
from kolm_cli.families.tiny import templates

_MARKS = ("<|im_start|>", "<think>", "</think>")
_KINDS = (("qwen3", Kind("qwen3", templates.QWEN3, None, "<|im_end|>", "<pad>", _MARKS)),)

# The templates write an empty thought before the last answer and drop those of earlier turns, so
# that a second turn rewrites the first: several turns cannot be trained as they would be seen.
FAMILY = TextOnly(
    name="text_thinking",
    model_types=("qwen3", "smollm3"),
    id_patterns=("*qwen3-[0-9]*", "*smollm3*"),
    written_for=("Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B", "HuggingFaceTB/SmolLM3-3B"),
    papers=(Paper("Qwen3 Technical Report", "https://arxiv.org/abs/2505.09388"),),
    language=("model",),
    takes=Takes(images=False, several_images=False, several_turns=False),
    auto_class="AutoModelForCausalLM",
    kinds=_KINDS,
    tiny_variants=tuple(name for name, _ in _KINDS),
)
