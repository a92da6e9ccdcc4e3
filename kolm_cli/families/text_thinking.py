"""Text-only models that think before they answer: Qwen3 and SmolLM3, asked not to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kolm_cli.families.base import Paper, Takes
from kolm_cli.families.text import Kind, TextOnly
from kolm_cli.families.tiny import templates


@dataclass(frozen=True)
class Thinking(TextOnly):
    """Rendered with an empty thought before the answer, in training and when asked.

    The templates drop the thoughts of earlier turns, so that a second turn rewrites the first:
    several turns cannot be trained as they would be seen.
    """

    def render(self, processor: Any, messages: list[dict[str, Any]], *, prompt: bool) -> str:
        """Apply the chat template with thinking switched off."""
        text: str = processor.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=prompt,
            enable_thinking=False,
            **self.template_options(processor),
        )
        return text


_MARKS = ("<|im_start|>", "<think>", "</think>")
_KINDS = (("qwen3", Kind("qwen3", templates.QWEN3, None, "<|im_end|>", "<pad>", _MARKS)),)

FAMILY = Thinking(
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
