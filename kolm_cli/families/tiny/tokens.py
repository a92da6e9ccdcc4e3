"""A byte-level tokenizer that needs no training and no download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# The ids of special tokens follow those of the bytes.
FIRST_SPECIAL = 256


def byte_tokenizer(
    special: Sequence[str],
    *,
    eos: str,
    pad: str,
    bos: str | None = None,
    add_bos: bool = False,
    **named: str,
) -> Any:
    """A fast tokenizer of the 256 bytes and the given special tokens.

    Args:
        special: special tokens, in the order of their ids, from 256.
        eos: the token that ends a text.
        pad: the token that fills a batch.
        bos: the token that starts a text.
        add_bos: write `bos` before every text, as Llama's and Gemma's tokenizers do.
        named: tokens that a processor asks its tokenizer for, such as `image_token`.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in special]
    )
    if bos and add_bos:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, token_id(special, bos))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        clean_up_tokenization_spaces=False,
        bos_token=bos,
        eos_token=eos,
        pad_token=pad,
        **named,
    )


def token_id(special: Sequence[str], token: str) -> int:
    """The id of one of the special tokens."""
    return FIRST_SPECIAL + list(special).index(token)
