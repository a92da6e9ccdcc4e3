"""A conversation as text, with the spans that the loss may see."""

from __future__ import annotations

from dataclasses import dataclass

from kolm_cli.encoding.base_processor import BaseProcessor, RenderError
from kolm_cli.records.conversation import Conversation


@dataclass(frozen=True)
class Rendered:
    """Rendered text and the character spans (start, end) of each answer with its end token."""

    text: str
    answers: tuple[tuple[int, int], ...]


def render_training(base: BaseProcessor, conversation: Conversation) -> Rendered:
    """Render a whole conversation; every assistant turn is an answer, learned unless it says no.

    For each answer the prompt up to it is rendered too: the common prefix must cover the whole
    prompt, so that the model is trained on exactly what it sees when it answers. A template
    that writes no end token gets one, or the adapter would never learn to stop.

    Raises:
        RenderError: the template changes the text in a way that loses track of an answer.
    """
    messages = base.messages(conversation)
    end = base.end_of_turn
    text, spans = "", []
    consumed = ""
    for index, message in enumerate(conversation.messages):
        if message.role != "assistant":
            continue
        prompt = base.render(messages[:index], prompt=True)
        whole = base.render(messages[: index + 1], prompt=False)
        if not whole.startswith(consumed):
            raise RenderError("the template rewrites earlier turns when a later one is added")
        start = _common_prefix(prompt, whole)
        if start < len(prompt):
            raise RenderError(
                f"the template opens an answer with {prompt[start:][:40]!r}, which training"
                " would not show"
            )
        answer_length, tail = _split_answer(whole[start:], message.text, end)
        text += whole[len(consumed) : start]
        spans_start = len(text)
        text += whole[start : start + answer_length]
        if not tail:
            text += end
        if message.learn:
            spans.append((spans_start, len(text)))
        text += whole[start + answer_length :]
        consumed = whole
    return Rendered(text, tuple(spans))


def _common_prefix(first: str, second: str) -> int:
    """How many leading characters two texts share."""
    length = min(len(first), len(second))
    return next((i for i in range(length) if first[i] != second[i]), length)


def _split_answer(segment: str, answer: str, end: str) -> tuple[int, bool]:
    """How long the answer is in `segment`, end token included, and whether it has one."""
    lead = len(segment) - len(segment.lstrip())
    for form in (answer, answer.strip()):
        for offset in sorted({0, lead}):
            if segment.startswith(form, offset):
                after = offset + len(form)
                rest = segment[after:]
                gap = len(rest) - len(rest.lstrip())
                if rest.startswith(end, gap):
                    return after + gap + len(end), True
                return after, False
    raise RenderError(f"the template changes the answer's text {answer[:40]!r}")


def render_prompt(base: BaseProcessor, conversation: Conversation) -> str:
    """What the model sees when it is asked for the last answer.

    Earlier answers are as they were in training, end tokens included.
    """
    messages = base.messages(conversation)
    earlier = Conversation(conversation.messages[:-1])
    last_answer = next(
        (i for i, m in reversed(list(enumerate(earlier.messages))) if m.role == "assistant"), None
    )
    prompt = base.render(messages[:-1], prompt=True)
    if last_answer is None:
        return prompt
    before = Conversation(conversation.messages[: last_answer + 1])
    plain = base.render(messages[: last_answer + 1], prompt=False)
    if not prompt.startswith(plain):
        raise RenderError("the template rewrites earlier turns when a later one is added")
    return render_training(base, before).text + prompt[len(plain) :]
