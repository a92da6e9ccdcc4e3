"""What a shape is given to write a pair as a record."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kolm_cli.core.times import exact_time_text
from kolm_cli.records.pair import HasPair


class CannotError(ValueError):
    """The format has no place for something that a pair holds; the message says for what."""


@dataclass(frozen=True)
class Exported(HasPair):
    """A pair to be written.

    Attributes:
        lossy: what the format has no place for may be left out.
    """

    lossy: bool = False

    def refuse_extras(self, format: str, may_have: Sequence[str] = ()) -> None:
        """Raise `CannotError` when the pair has further answers, tags or a model to lose.

        The time and the review state belong to the store; only kolm's own rows carry them.
        """
        if self.lossy:
            return
        if "learn" not in may_have and not all(m.learn for m in self.conversation.messages):
            raise CannotError(f"{format} has no place for a turn that is not learned")
        for name, value in (("answers", self.answers), ("model", self.model), ("tags", self.tags)):
            if value and name not in may_have:
                word = {"answers": "further answers", "model": "the model's name"}.get(name, name)
                raise CannotError(f"{format} has no place for {word}")

    def extras(self) -> dict[str, Any]:
        """Everything beside the conversation, as kolm's own rows write it."""
        found = {
            "answers": list(self.answers),
            "model": self.model,
            "tags": list(self.tags),
            "time": exact_time_text(self.pair.captured) if self.pair.captured is not None else "",
            "review": "" if self.review == "pending" else self.review,
        }
        return {key: value for key, value in found.items() if value}


@dataclass(frozen=True)
class ImageForms:
    """The ways in which a record may hold an image, by its SHA-256.

    Attributes:
        reference: what kolm's own rows write: a path, or a data URI when images are embedded.
        read: the bytes.
        media_type: `image/png` and so on.
    """

    reference: Callable[[str], str]
    read: Callable[[str], bytes]
    media_type: Callable[[str], str]

    def data_uri(self, sha256: str) -> str:
        """The image as a data URI."""
        return f"data:{self.media_type(sha256)};base64,{self.base64(sha256)}"

    def base64(self, sha256: str) -> str:
        """The image as base64."""
        return base64.b64encode(self.read(sha256)).decode("ascii")
