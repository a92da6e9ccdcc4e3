"""What is sent for a row, and what the bundle makes of it: messages, tokens, the rendered text."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from PIL import Image as PILImage

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.records.conversation import Conversation, Message, Part, Text
from kolm_cli.records.row import Row

if TYPE_CHECKING:
    from kolm_cli.encoding.encoder import Encoder
    from kolm_cli.encoding.located import Located


@dataclass(frozen=True)
class Expected:
    """The bundle's own tokens of a row's prompt.

    Attributes:
        tokens: all of them; None for a row that was cut to fit.
        images: those that are for images.
        asked: the row as it is sent, its boxes in the family's own writing; as it is when None.
        placed: an answer to it, with boxes in pixels of the originals where they are asked for.
    """

    tokens: int | None
    images: int
    asked: Row | None = None
    placed: Callable[[str], str] = str


def messages_of(row: Row) -> list[dict[str, Any]]:
    """The row's prompt as OpenAI's API takes it, its images as data URIs, as they were given.

    Always lists of parts, as kolm hands them to templates: several render plain text otherwise.
    """

    def part_of(part: Part) -> dict[str, Any]:
        if isinstance(part, Text):
            return {"type": "text", "text": part.text}
        return {"type": "image_url", "image_url": {"url": data_uri(row.images[part.sha256].read())}}

    return [
        {"role": message.role, "content": [part_of(part) for part in message.parts]}
        for message in row.conversation.messages[:-1]
    ]


def data_uri(data: bytes) -> str:
    """An image in a data URI, under the media type of its encoding."""
    with PILImage.open(io.BytesIO(data)) as image:
        name = image.format or "PNG"
    kind = PILImage.MIME.get("JPEG" if name == "MPO" else name, f"image/{name.lower()}")
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def without_images(row: Row) -> Row | None:
    """The row with its texts alone; None when a message had nothing else."""
    messages = []
    for message in row.conversation.messages:
        texts = tuple(part for part in message.parts if isinstance(part, Text))
        if not texts:
            return None
        messages.append(Message(message.role, texts, message.learn))
    return Row(row.id, Conversation(tuple(messages)), {}, row.answers)


def expected_of(encoder: Encoder, rows: Sequence[Row]) -> list[Expected]:
    """The tokens of each row's prompt.

    Raises:
        InputError: a row cannot be encoded with the bundle's own processor.
    """
    from kolm_cli.encoding.encoded import RowError
    from kolm_cli.encoding.grounding import as_asked

    found, problems = [], []
    for row in rows:
        try:
            encoded = encoder.prompt(row)
        except RowError as error:
            problems.append(Problem(str(error), where=row.id))
            continue
        located = encoded.located
        found.append(
            Expected(
                None if encoded.cut else encoded.tokens,
                encoded.image_tokens,
                as_asked(encoder, row, located),
                partial(_placed, encoder, located),
            )
        )
    if problems:
        raise InputError(*problems)
    return found


def _placed(encoder: Encoder, located: Located, text: str) -> str:
    from kolm_cli.encoding.grounding import in_originals

    return in_originals(encoder.family, text, located) if located.images else text


@dataclass(frozen=True)
class Probe:
    """A prompt without images, by which templates are compared.

    Attributes:
        row: the row.
        text: what the bundle's template renders.
        tokens: the tokens of that.
    """

    row: Row
    text: str
    tokens: Sequence[int]


def probes_of(encoder: Encoder, rows: Sequence[Row], most: int) -> list[Probe]:
    """The first different prompts of the rows."""
    from kolm_cli.encoding.encoded import RowError
    from kolm_cli.encoding.rendering import render_prompt

    found: list[Probe] = []
    for row in rows:
        plain = without_images(row)
        if plain is None or len(found) == most:
            continue
        try:
            encoded = encoder.prompt(plain)
            text = render_prompt(encoder, plain.conversation)
        except (RowError, ValueError):
            # Some models cannot be asked without a picture.
            continue
        if not encoded.cut and all(text != other.text for other in found):
            found.append(Probe(plain, text, encoded.sequence["input_ids"].tolist()))
    return found


def template_options(encoder: Encoder) -> Mapping[str, Any]:
    """What the server's template has to be told, so that it renders as the bundle's did."""
    asked = encoder.family.template_options(encoder.processor)
    kept = {key: value for key, value in asked.items() if key != "chat_template"}
    return {"chat_template_kwargs": kept} if kept else {}
