"""Text-only causal models: every stage is shared but the loader and the row's shape."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.capture.record import Conversation
from kolm_cli.families.base import Family, Paper, Takes
from kolm_cli.families.tiny import tokens

_TYPES = ("llama", "qwen2", "qwen3", "mistral", "gemma", "gemma2", "gemma3_text", "smollm3")


@dataclass(frozen=True)
class TextOnly(Family):
    """Decoder-only language models without a vision tower."""

    def load_processor(self, source: str, **options: Any) -> Any:
        """The tokenizer is all there is."""
        from transformers import AutoTokenizer

        options.pop("backend", None)
        return AutoTokenizer.from_pretrained(source, **options)

    def messages(self, conversation: Conversation) -> list[dict[str, Any]]:
        """Templates of text models take plain strings."""
        return [{"role": m.role, "content": m.text} for m in conversation.messages]

    def write_tiny(self, folder: Path, *, seed: int, width: int, layers: int) -> None:
        """Write a random Llama with a ChatML template."""
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM

        tokenizer = tokens.byte_tokenizer(("<|im_start|>", "<|im_end|>", "<|endoftext|>"))
        tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
        tokenizer.chat_template = tokens.CHATML
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=4096,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            tie_word_embeddings=True,
        )
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)


FAMILY = TextOnly(
    name="text",
    model_types=_TYPES,
    id_patterns=(
        "*smollm2*",
        "*llama-2*",
        "*llama-3*",
        "*qwen2.5-[0-9]*",
        "*qwen2-[0-9]*",
        "*qwen3-[0-9]*",
        "*mistral-7b*",
        "*gemma-2*",
    ),
    written_for=(
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "Qwen/Qwen2.5-1.5B-Instruct",
        "Qwen/Qwen3-0.6B",
        "meta-llama/Llama-3.2-1B-Instruct",
        "mistralai/Mistral-7B-Instruct-v0.3",
    ),
    papers=(
        Paper("SmolLM2: When Smol Goes Big", "https://arxiv.org/abs/2502.02737"),
        Paper("The Llama 3 Herd of Models", "https://arxiv.org/abs/2407.21783"),
    ),
    language=("model",),
    takes=Takes(images=False, several_images=False),
    auto_class="AutoModelForCausalLM",
)
