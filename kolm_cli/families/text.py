"""Text-only causal models: every stage is shared but the loader and the row's shape."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.families.base import Family, Paper, Takes
from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.records.conversation import Conversation


@dataclass(frozen=True)
class Kind:
    """A kind of tiny language model: its config, and what its tokenizer and template do."""

    config: str
    template: str
    bos: str | None
    eos: str
    pad: str
    marks: tuple[str, ...] = ()

    @property
    def special(self) -> tuple[str, ...]:
        """Its special tokens, in the order of their ids."""
        roles = (self.bos, self.eos, self.pad, *self.marks)
        return tuple(dict.fromkeys(token for token in roles if token))


@dataclass(frozen=True)
class TextOnly(Family):
    """Decoder-only language models without a vision tower.

    Attributes:
        kinds: the kinds of tiny base by variant.
    """

    kinds: tuple[tuple[str, Kind], ...] = ()

    def load_processor(self, source: str, **options: Any) -> Any:
        """The tokenizer is all there is."""
        from transformers import AutoTokenizer

        options.pop("backend", None)
        return self.with_template(AutoTokenizer.from_pretrained(source, **options))

    def messages(self, conversation: Conversation) -> list[dict[str, Any]]:
        """Templates of text models take plain strings."""
        return [{"role": m.role, "content": m.text} for m in conversation.messages]

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random model with the template and tokenizer of that kind."""
        from transformers import AutoConfig, AutoModelForCausalLM

        kind = dict(self.kinds)[variant or self.tiny_variants[0]]
        tokenizer = tokens.byte_tokenizer(
            kind.special, bos=kind.bos, eos=kind.eos, pad=kind.pad, add_bos=kind.bos is not None
        )
        tokenizer.chat_template = kind.template
        config = AutoConfig.for_model(
            kind.config,
            **towers.decoder(width, layers, kind.special, bos=kind.bos, eos=kind.eos, pad=kind.pad),
            tie_word_embeddings=True,
        )
        towers.write(folder, AutoModelForCausalLM.from_config, config, tokenizer, seed=seed)


GEMMA_MARKS = ("<start_of_turn>", "<end_of_turn>")
_LLAMA_MARKS = ("<|start_header_id|>", "<|end_header_id|>")
_KINDS = (
    # SmolLM2 pads with its end token.
    ("smollm2", Kind("llama", tokens.CHATML, "<|im_start|>", "<|im_end|>", "<|im_end|>")),
    ("llama3", Kind("llama", templates.LLAMA3, "<bos>", "<|eot_id|>", "<pad>", _LLAMA_MARKS)),
    ("qwen2", Kind("qwen2", templates.QWEN2, None, "<|im_end|>", "<pad>", ("<|im_start|>",))),
    ("gemma3", Kind("gemma3_text", templates.GEMMA3, "<bos>", "<eos>", "<pad>", GEMMA_MARKS)),
)

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
    language=("model",),
    takes=Takes(images=False, several_images=False),
    auto_class="AutoModelForCausalLM",
    # Base models have these tokens too, while their tokenizers end a text with another one.
    end_tokens=("<|im_end|>", "<|eot_id|>", "<end_of_turn>"),
    kinds=_KINDS,
    tiny_variants=tuple(name for name, _ in _KINDS),
)
