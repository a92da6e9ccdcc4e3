"""One conversation as tensors: tokens, the supervised positions, the images."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

import torch

from kolm_cli.encoding.base_processor import BaseProcessor, RenderError
from kolm_cli.encoding.encoded import IGNORE, Encoded, RowError
from kolm_cli.encoding.rendering import Rendered, render_prompt, render_training
from kolm_cli.records.conversation import Conversation, Message, Text


def encode_training(
    base: BaseProcessor, conversation: Conversation, images: Sequence[Any]
) -> Encoded:
    """Encode a whole conversation; only its answers are supervised.

    Raises:
        RowError: nothing would be supervised, or images and placeholders do not agree.
    """
    _refuse_reserved(base, conversation)
    try:
        rendered = render_training(base, conversation)
    except RenderError as error:
        raise RowError(str(error)) from error
    _check_seams(base, rendered)
    return _encode(base, rendered, list(images))


def encode_prompt(
    base: BaseProcessor, conversation: Conversation, images: Sequence[Any]
) -> Encoded:
    """Encode everything up to the last answer, as the model sees it when it is asked.

    Raises:
        RowError: images and placeholders do not agree, or the template refuses the row.
    """
    _refuse_reserved(base, conversation)
    try:
        text = render_prompt(base, conversation)
    except RenderError as error:
        raise RowError(str(error)) from error
    return _encode(base, Rendered(text, ()), list(images))


def answer_tokens(base: BaseProcessor, conversation: Conversation, answer: str) -> int:
    """How many tokens come after a prompt when it is trained on with this answer.

    1 where the template does not take it.
    """
    *asked, _ = conversation.messages
    learned = Conversation((*asked, Message("assistant", (Text(answer),))))
    try:
        rendered = render_training(base, learned)
    except RenderError:
        return 1
    start, _ = rendered.answers[-1]
    return max(1, len(base.token_ids(rendered.text[start:])))


def _refuse_reserved(base: BaseProcessor, conversation: Conversation) -> None:
    """Refuse text that the processor would take for an image, or the model for an answer's end."""
    for message in conversation.messages:
        if mark := base.reserved_in(message.text):
            raise RowError(
                f"the {message.role}'s text holds {mark!r}, which the model keeps for itself"
            )


def _check_seams(base: BaseProcessor, rendered: Rendered) -> None:
    """The prompt's tokens, as they are when it is asked, must begin the row's.

    A tokenizer joins an answer's first newline with the one that ends the prompt, or its first
    space: training would then show a prompt that nobody ever asks.
    """
    whole = base.token_ids(rendered.text)
    for start, _ in rendered.answers:
        asked = base.token_ids(rendered.text[:start])
        if whole[: len(asked)] != asked:
            raise RowError(
                f"its answer begins with {rendered.text[start : start + 12]!r}, which the tokenizer"
                " joins with the end of the prompt: training would show another prompt than is"
                " asked; remove the white space before the answer"
            )


def _encode(base: BaseProcessor, rendered: Rendered, images: list[Any]) -> Encoded:
    try:
        features = base.features(rendered.text, images)
    except (ValueError, IndexError, StopIteration) as error:
        # Processors raise these when placeholders in the text and images disagree.
        raise RowError(f"the processor refuses it: {error}") from error
    offsets: list[tuple[int, int]] = features.pop("offset_mapping")[0].tolist()
    replaced = features.pop("text_replacement_offsets", None) or [[]]
    expansions = replaced[0]
    if len(expansions) != len(images):
        raise RowError(
            f"{len(expansions)} image placeholders in the rendered text, but {len(images)} images"
        )
    length = features["input_ids"].shape[1]
    sequence, pictures = {}, {}
    for key, value in features.items():
        if key in base.family.image_keys or value.shape[:2] != (1, length):
            pictures[key] = value
        else:
            sequence[key] = value[0]
    image_spans = [tuple(e["new_span"]) for e in expansions]
    each = [_overlapping(offsets, [span]) for span in image_spans]
    in_image = [any(inside) for inside in zip(*each, strict=True)] or [False] * len(offsets)
    ids = sequence["input_ids"].tolist()
    for position, token in enumerate(ids):
        if token in base.image_token_ids and not in_image[position]:
            raise RowError("its text holds an image token")
        if base.vocabulary is not None and token >= base.vocabulary and not in_image[position]:
            raise RowError(
                f"its token {base.tokenizer.convert_ids_to_tokens(token)!r} has the number {token},"
                f" and the model knows {base.vocabulary}: its tokenizer and its weights do not fit"
            )
    labels = None
    supervised = _overlapping(offsets, [_shift(span, expansions) for span in rendered.answers])
    base.family.finish_row(sequence, supervised)
    if rendered.answers:
        labels = torch.tensor(
            [
                token if wanted and not image else IGNORE
                for token, wanted, image in zip(ids, supervised, in_image, strict=True)
            ]
        )
        if not (labels != IGNORE).any():
            raise RowError("no token of it would be supervised")
    counts = tuple(map(sum, each))
    return Encoded(sequence, pictures, labels, sum(in_image), picture_tokens=counts)


def _shift(span: tuple[int, int], expansions: list[dict[str, Any]]) -> tuple[int, int]:
    """A span of the rendered text after placeholders were expanded."""
    ends = [e["span"][1] for e in expansions]
    gained = [0, *(e["new_span"][1] - e["span"][1] for e in expansions)]
    start, end = (char + gained[bisect.bisect_right(ends, char)] for char in span)
    return start, end


def _overlapping(offsets: list[tuple[int, int]], spans: Sequence[tuple[int, ...]]) -> list[bool]:
    """For each token whether it overlaps one of the spans; empty tokens overlap nothing."""
    return [
        any(start < span[1] and end > span[0] for span in spans) and end > start
        for start, end in offsets
    ]
