"""Text-only causal models: every stage is shared but the loader and the row's shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kolm_cli.families.base import Family, Paper, Takes
from kolm_cli.records.conversation import Conversation

TOKENIZER_FILES = ("tokenizer_config.json", "tokenizer.json")


@dataclass(frozen=True)
class TextOnly(Family):
    """Decoder-only language models without a vision tower."""

    language: tuple[str, ...] = ("model",)
    auto_class: str = "AutoModelForCausalLM"
    processor_files: tuple[str, ...] = TOKENIZER_FILES

    def load_processor(self, source: str, **options: Any) -> Any:
        """The tokenizer is all there is."""
        from transformers import AutoTokenizer

        options.pop("backend", None)
        return self.with_template(AutoTokenizer.from_pretrained(source, **options))

    def messages(self, conversation: Conversation) -> list[dict[str, Any]]:
        """Templates of text models take plain strings."""
        return [{"role": m.role, "content": m.text} for m in conversation.messages]


FAMILY = TextOnly(
    name="text",
    model_types=("llama", "qwen2", "gemma3_text"),
    id_patterns=(
        "*smollm2*",
        "*llama-2*",
        "*llama-3*",
        "*qwen2.5-[0-9]*",
        "*qwen2-[0-9]*",
        "*gemma-3-1b*",
        "*gemma-3-270m*",
    ),
    written_for=(
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "HuggingFaceTB/SmolLM2-1.7B-Instruct",
        "Qwen/Qwen2.5-1.5B-Instruct",
        "meta-llama/Llama-3.2-1B-Instruct",
        "google/gemma-3-1b-it",
    ),
    papers=(
        Paper("SmolLM2: When Smol Goes Big", "https://arxiv.org/abs/2502.02737"),
        Paper("The Llama 3 Herd of Models", "https://arxiv.org/abs/2407.21783"),
        Paper("Qwen2.5 Technical Report", "https://arxiv.org/abs/2412.15115"),
    ),
    takes=Takes(images=False, several_images=False),
    # Base models have these tokens too, while their tokenizers end a text with another one.
    end_tokens=("<|im_end|>", "<|eot_id|>", "<end_of_turn>"),
)
