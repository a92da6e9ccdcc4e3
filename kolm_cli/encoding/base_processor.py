"""The processor of one base, together with the family that knows how to use it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jinja2

from kolm_cli.families.base import Family
from kolm_cli.families.coordinates import Size
from kolm_cli.records.conversation import Conversation


class RenderError(ValueError):
    """The template does something to a row that would put the loss in the wrong place."""


@dataclass(frozen=True)
class BaseProcessor:
    """What every step of encoding needs of a base; it can be sent to another process.

    Attributes:
        family: the base's family.
        processor: its processor, as transformers loads it.
        renderer: applies its chat template to messages, for the opening of an answer or not; the
            family does so, within this process, when None.
        vocabulary: how many tokens the model knows; None where its configuration does not say.
    """

    family: Family
    processor: Any = field(repr=False)
    renderer: Callable[[list[dict[str, Any]], bool], str] | None = field(
        default=None, repr=False, kw_only=True
    )
    vocabulary: int | None = field(default=None, kw_only=True)

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer inside the processor."""
        return self.family.tokenizer(self.processor)

    @cached_property
    def end_of_turn(self) -> str:
        """The token that ends an answer, as the rendered text has it."""
        return self.family.end_of_turn(self.processor)

    @cached_property
    def _reserved(self) -> re.Pattern[str]:
        marks = sorted(self.family.reserved(self.processor), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, marks)))

    def reserved_in(self, text: str) -> str:
        """The first string in `text` that no row may hold, or nothing."""
        found = self._reserved.search(text)
        return found[0] if found else ""

    @cached_property
    def _control_ids(self) -> frozenset[int]:
        marks = self.family.control_tokens(self.processor)
        return frozenset(self.tokenizer.convert_tokens_to_ids(sorted(marks)))

    def decode(self, ids: Sequence[int]) -> str:
        """What the model said: without the template's tokens, with those that are content."""
        text: str = self.tokenizer.decode(
            [token for token in ids if token not in self._control_ids], skip_special_tokens=False
        )
        return text

    def token_ids(self, text: str) -> list[int]:
        """The tokens of `text` by itself."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    @cached_property
    def image_token_ids(self) -> frozenset[int]:
        """The ids of image features."""
        return self.family.image_token_ids(self.processor)

    @property
    def pad_id(self) -> int:
        """What `input_ids` are padded with; `attention_mask` says what is padding."""
        pad = self.tokenizer.pad_token_id
        return int(pad) if pad is not None else 0

    def shown(self, size: Size) -> Size:
        """Width and height at which the model sees a picture of this width and height."""
        return self.family.shown(self.processor, size)

    def messages(self, conversation: Conversation) -> list[dict[str, Any]]:
        """The conversation as the template takes it."""
        return self.family.messages(conversation.plain)

    def render(self, messages: list[dict[str, Any]], *, prompt: bool) -> str:
        """Apply the chat template; `prompt` asks for the opening of the next answer.

        Raises:
            RenderError: the template refuses the messages.
        """
        if self.renderer is not None:
            return self.renderer(messages, prompt)
        try:
            return self.family.render(self.processor, messages, prompt=prompt)
        except jinja2.TemplateError as error:
            # Templates refuse what they do not take, and stumble over messages without content.
            raise RenderError(f"the template refuses it: {error}") from error

    def features(self, text: str, images: list[Any]) -> dict[str, Any]:
        """Run the processor on one rendered row; see `Family.encode`."""
        return self.family.encode(self.processor, text, images)
