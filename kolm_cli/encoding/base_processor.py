"""The processor of one base, together with the family that knows how to use it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jinja2

from kolm_cli.families.base import Family
from kolm_cli.records.conversation import Conversation


class RenderError(ValueError):
    """The template does something to a row that would put the loss in the wrong place."""


@dataclass(frozen=True)
class BaseProcessor:
    """What every step of encoding needs of a base; it can be sent to another process.

    Attributes:
        family: the base's family.
        processor: its processor, as transformers loads it.
    """

    family: Family
    processor: Any = field(repr=False)

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer inside the processor."""
        return self.family.tokenizer(self.processor)

    @cached_property
    def end_of_turn(self) -> str:
        """The token that ends an answer, as the rendered text has it."""
        return self.family.end_of_turn(self.processor)

    @cached_property
    def reserved(self) -> tuple[str, ...]:
        """Strings that no row may hold, sorted."""
        return tuple(sorted(self.family.reserved(self.processor)))

    @cached_property
    def image_token_ids(self) -> frozenset[int]:
        """The ids that stand for image features."""
        return self.family.image_token_ids(self.processor)

    @property
    def pad_id(self) -> int:
        """What `input_ids` are padded with; `attention_mask` says what is padding."""
        pad = self.tokenizer.pad_token_id
        return int(pad) if pad is not None else 0

    def messages(self, conversation: Conversation) -> list[dict[str, Any]]:
        """The conversation as the template takes it."""
        return self.family.messages(conversation)

    def render(self, messages: list[dict[str, Any]], *, prompt: bool) -> str:
        """Apply the chat template; `prompt` asks for the opening of the next answer.

        Raises:
            RenderError: the template refuses the messages.
        """
        try:
            return self.family.render(self.processor, messages, prompt=prompt)
        except jinja2.TemplateError as error:
            # Templates refuse what they do not take, and stumble over messages without content.
            raise RenderError(f"the template refuses it: {error}") from error

    def features(self, text: str, images: list[Any]) -> dict[str, Any]:
        """Run the processor on one rendered row; see `Family.encode`."""
        return self.family.encode(self.processor, text, images)
