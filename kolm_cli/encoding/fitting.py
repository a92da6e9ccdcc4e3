"""Making a row fit the token budget: prompt text is cut first, images and answers never."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from kolm_cli.encoding.base_processor import BaseProcessor
from kolm_cli.encoding.encoded import Encoded, TooLongError
from kolm_cli.records.conversation import Box, Conversation, Text

Side = Literal["prompt_start", "prompt_end"]


def encode_to_fit(
    base: BaseProcessor,
    conversation: Conversation,
    encode: Callable[[Conversation], Encoded],
    *,
    budget: int | None,
    side: Side = "prompt_start",
) -> Encoded:
    """Encode a row in at most `budget` tokens, cutting text of its prompts when it must.

    The text is cut before it is rendered, so the template, the image tokens and the answers
    (with their end tokens) stay whole. `prompt_start` cuts from the first question's beginning,
    `prompt_end` from the last question's end; the system prompt goes last.

    Args:
        base: tokenizes the text that is cut.
        conversation: the row's conversation.
        encode: encodes a conversation, whole or cut.
        budget: tokens; None for no limit.
        side: where cutting begins.

    Raises:
        RowError: the row cannot be used.
        TooLongError: it does not fit even with all but one token of its prompt text gone.
    """
    encoded = encode(conversation)
    whole = encoded.tokens
    if budget is None or whole <= budget:
        return encoded
    tokenizer = base.tokenizer
    available = sum(
        len(_starts(tokenizer, part.text))
        for message in conversation.messages
        if message.role != "assistant"
        for part in message.parts
        if isinstance(part, Text)
    )
    cut = whole - budget
    # Tokens merge differently at the cut, so that the first guess can be a few short.
    while cut < available:
        shorter = _cut(tokenizer, conversation, cut, side)
        encoded = encode(shorter)
        if encoded.tokens <= budget:
            system_cut = shorter.messages[0] != conversation.messages[0]
            return replace(
                encoded,
                cut=whole - encoded.tokens,
                system_cut=system_cut and conversation.messages[0].role == "system",
            )
        cut += encoded.tokens - budget
    raise TooLongError(
        f"it needs {whole} tokens: {encoded.image_tokens} of images, {encoded.supervised} of"
        f" answers, about {available} of prompt text; the budget is {budget}, which cutting the"
        " prompt text cannot reach"
    )


def _starts(tokenizer: Any, text: str) -> list[int]:
    """Where each token of `text` begins, in characters."""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return [start for start, _ in offsets["offset_mapping"]]


def _cut(tokenizer: Any, conversation: Conversation, count: int, side: Side) -> Conversation:
    """Drop `count` tokens of prompt text from one side, message by message.

    A system prompt says how every question is to be taken: it is cut when nothing else is left.
    """
    messages = list(conversation.messages)
    order = list(range(len(messages)))
    if side == "prompt_end":
        order.reverse()
    order.sort(key=lambda index: messages[index].role == "system")
    for index in order:
        message = messages[index]
        if message.role == "assistant":
            continue
        parts = list(message.parts)
        places = range(len(parts)) if side == "prompt_start" else range(len(parts) - 1, -1, -1)
        for place in places:
            part = parts[place]
            if count == 0 or not isinstance(part, Text):
                continue
            starts = _starts(tokenizer, part.text)
            gone = min(count, len(starts))
            if isinstance(part, Box) and gone:
                gone = len(starts)  # Half of its coordinates would be another place.
            count = max(0, count - gone)
            if side == "prompt_start":
                text = part.text[starts[gone] :] if gone < len(starts) else ""
            else:
                text = part.text[: starts[len(starts) - gone]] if gone else part.text
            parts[place] = Text(text)
        messages[index] = replace(message, parts=tuple(parts))
    return Conversation(tuple(messages))
