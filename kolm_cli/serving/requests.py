"""What a client asks, read strictly: the pictures are in the request, and every option counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats.fields import Fields, RawRow
from kolm_cli.formats.image_references import Found, ImageReader
from kolm_cli.formats.shapes.messages import read_messages
from kolm_cli.formats.shapes.openai import image_part
from kolm_cli.records.conversation import (
    EMPTY_RESPONSE,
    Conversation,
    Message,
    Text,
    faults,
)
from kolm_cli.records.images import ImageChecker
from kolm_cli.records.pictures import ImageError
from kolm_cli.records.row import Row

# A picture of 64 MiB as base64, and room for the rest.
MAX_BODY = 96 << 20
MAX_IN_FLIGHT = 32
MAX_TOKENS = 4096
# A prompt that is too long for the model is cut, after all of it was tokenized.
MAX_CHARACTERS = 256 << 10
MAX_MESSAGES = 1000
MAX_IMAGES = 64
MAX_STOPS = 4
_MAX_STOP = 200
_COLDEST = 0.001
# They change no answer.
_WITHOUT_EFFECT = frozenset({"user", "metadata", "store", "service_tier", "stream_options"})
# What asks for nothing: clients spell defaults out.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "tools": ([],),
    "logit_bias": ({},),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    # Templates that can think are told not to, always.
    "chat_template_kwargs": ({}, {"enable_thinking": False}),
}


@dataclass(frozen=True)
class Asked:
    """A request that was read.

    Attributes:
        model: the name that it asks.
        row: the conversation, with an empty answer at its end.
        options: how to answer: `max_tokens`, `temperature`, `top_p`, `seed`, `stop`, `stream`; only
            those that were given.
    """

    model: str
    row: Row
    options: Mapping[str, Any]


class _Inside(ImageReader):
    """Takes images that are in the request: nothing is fetched, no file is opened."""

    count = 0

    def read(self, value: object) -> Found:
        self.count += 1
        if self.count > MAX_IMAGES:
            # Each is decoded, however few its bytes.
            raise _too_much("images", MAX_IMAGES)
        # What only begins like one would be taken for a file's name.
        if not self.is_inside(value):
            raise ImageError(
                "an image has to be in the request, as a data URI (data:image/png;base64,...)"
            )
        return super().read(value)


def read_request(body: object) -> Asked:
    """Read the body of a chat completion.

    Raises:
        InputError: holds everything that is wrong with it.
    """
    if not isinstance(body, Mapping):
        raise InputError(
            Problem("the request is not an object", fix='send {"model": …, "messages": […]}')
        )
    reader = _Inside(Path(), checker=ImageChecker(remember=0))
    fields = Fields(RawRow("", body, reader))
    model = body.get("model")
    if not isinstance(model, str) or not model:
        fields.problem("model: expected a name")
    given = body.get("messages")
    if isinstance(given, list) and len(given) > MAX_MESSAGES:
        raise _too_much("messages", MAX_MESSAGES)
    messages = read_messages(fields, given, image_part)
    if sum(len(message.text) for message in messages) > MAX_CHARACTERS:
        raise _too_much("characters of text", MAX_CHARACTERS)
    if messages and messages[-1].role != "user":
        fields.problem("messages: the last one is not the user's")
    options = _options(fields, body)
    asked = Conversation((*messages, Message("assistant", (Text(""),))))
    fields.problems += [p for p in faults(asked) if p.kind != EMPTY_RESPONSE]
    if fields.problems:
        raise InputError(*fields.problems)
    return Asked(str(model), Row("request", asked, fields.images), options)


def _too_much(what: str, most: int) -> InputError:
    return InputError(Problem(f"more than {most} {what} in a request", fix="ask for less at once"))


def _options(fields: Fields, body: Mapping[str, Any]) -> dict[str, Any]:
    """The options; one that would be ignored is a problem."""
    given = {key: value for key, value in body.items() if value is not None}
    both = given.keys() & {"max_tokens", "max_completion_tokens"}
    if len(both) == 2:
        fields.problem("max_tokens and max_completion_tokens exclude each other")
    readers = {
        "max_tokens": _count,
        "max_completion_tokens": _count,
        "temperature": _temperature,
        "top_p": _between(0, 1),
        "seed": _seed,
        "stop": _stops,
        "stream": _flag,
    }
    options: dict[str, Any] = {}
    for key, value in given.items():
        if key in ("model", "messages") or key in _WITHOUT_EFFECT or value in _NEUTRAL.get(key, ()):
            continue
        if key not in readers:
            fields.problem(f"{str(key)[:80]}: is not something that this server does")
            continue
        wrong, read = readers[key](value)
        if wrong:
            fields.problem(f"{key}: expected {wrong}")
        else:
            options[key.replace("max_completion_tokens", "max_tokens")] = read
    if options.get("top_p") == 0:
        fields.problem("top_p: expected a number above 0")
    return options


def _count(value: object) -> tuple[str, Any]:
    fits = type(value) is int and 1 <= value <= MAX_TOKENS
    return "" if fits else f"a whole number from 1 to {MAX_TOKENS}", value


def _seed(value: object) -> tuple[str, Any]:
    fits = type(value) is int and 0 <= value < 2**63
    return "" if fits else "a whole number from 0", value


def _flag(value: object) -> tuple[str, Any]:
    return "" if isinstance(value, bool) else "true or false", value


def _between(low: float, high: float) -> Any:
    def read(value: object) -> tuple[str, Any]:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = number and math.isfinite(value) and low <= value <= high  # type: ignore[arg-type, operator]
        return "" if fits else f"a number from {low} to {high}", value

    return read


def _temperature(value: object) -> tuple[str, Any]:
    wrong, read = _between(0, 2)(value)
    # Scores are divided by it, and would become infinite.
    return wrong or ("0, or 0.001 and more" if 0 < read < _COLDEST else ""), read


def _stops(value: object) -> tuple[str, Any]:
    texts = [value] if isinstance(value, str) else value
    fits = (
        isinstance(texts, list)
        and 1 <= len(texts) <= MAX_STOPS
        and all(isinstance(text, str) and 1 <= len(text) <= _MAX_STOP for text in texts)
    )
    return "" if fits else f"up to {MAX_STOPS} texts of up to {_MAX_STOP} characters", texts
