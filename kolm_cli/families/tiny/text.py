"""Text-only causal models: a template, a tokenizer and a configuration make a kind."""

from __future__ import annotations

from functools import partial

from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.tiny.pieces import Maker, Pieces


def make(
    model_type: str,
    template: str,
    bos: str | None,
    eos: str,
    pad: str,
    marks: tuple[str, ...],
    width: int,
    layers: int,
) -> Pieces:
    """A random language model.

    Args:
        model_type: of its configuration.
        template: the chat template.
        bos: the token that starts a text, which the tokenizer writes; or none.
        eos: the token that ends one.
        pad: the token that fills a batch.
        marks: further special tokens of the template.
        width: of the model.
        layers: of the model.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    special = tuple(dict.fromkeys(token for token in (bos, eos, pad, *marks) if token))
    tokenizer = tokens.byte_tokenizer(special, bos=bos, eos=eos, pad=pad, add_bos=bos is not None)
    tokenizer.chat_template = template
    config = AutoConfig.for_model(
        model_type,
        **towers.decoder(width, layers, special, bos=bos, eos=eos, pad=pad),
        tie_word_embeddings=True,
    )
    return Pieces(AutoModelForCausalLM.from_config, config, tokenizer)


GEMMA_MARKS = ("<start_of_turn>", "<end_of_turn>")
_LLAMA_MARKS = ("<|start_header_id|>", "<|end_header_id|>")
_QWEN_MARKS = ("<|im_start|>",)

VARIANTS: dict[str, Maker] = {
    # SmolLM2 pads with its end token.
    "smollm2": partial(
        make, "llama", tokens.CHATML, "<|im_start|>", "<|im_end|>", "<|im_end|>", ()
    ),
    "llama3": partial(
        make, "llama", templates.LLAMA3, "<bos>", "<|eot_id|>", "<pad>", _LLAMA_MARKS
    ),
    "qwen2": partial(make, "qwen2", templates.QWEN2, None, "<|im_end|>", "<pad>", _QWEN_MARKS),
    "gemma3": partial(
        make, "gemma3_text", templates.GEMMA3, "<bos>", "<eos>", "<pad>", GEMMA_MARKS
    ),
}
