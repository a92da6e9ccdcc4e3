"""Understanding a call: which API it speaks, what was asked, what was answered."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kolm_cli.capture.pairs import NewPair
from kolm_cli.capture.proxy import streams
from kolm_cli.capture.proxy.fetch import Fetcher
from kolm_cli.capture.proxy.spool import Call
from kolm_cli.formats.fields import Fields, RawRow
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.shapes import anthropic, openai
from kolm_cli.formats.shapes.messages import conversation, read_content, read_messages
from kolm_cli.records.conversation import Message, faults
from kolm_cli.records.images import ImageChecker
from kolm_cli.records.pair import Pair

MAX_BODY = 256 * 1024 * 1024


class UnreadableError(ValueError):
    """A call that is not what its API says; the message says why."""


@dataclass(frozen=True)
class Api:
    """One of the APIs that are recorded.

    Attributes:
        path: how its path ends.
        unstream: makes one response of a stream.
        parse: reads `{"request", "response"}`.
    """

    path: str
    unstream: Callable[[bytes], dict[str, Any]]
    parse: Callable[[Fields], Pair | None]


def _parse_responses(fields: Fields) -> Pair | None:
    """OpenAI's Responses API: `input` and `instructions`, `output`."""
    request, response = fields.record["request"], fields.record["response"]
    for key in ("previous_response_id", "conversation", "prompt"):
        if request.get(key):
            # The upstream has the earlier turns, not this call.
            fields.problem(f"{key}: the call refers to turns that it does not hold")
    messages = []
    if request.get("instructions"):
        said = read_content(fields, request["instructions"], openai.image_part, "instructions")
        messages.append(Message("system", said))
    asked = request.get("input")
    if isinstance(asked, str):
        messages.append(Message("user", read_content(fields, asked, openai.image_part, "input")))
    else:
        turns = asked if isinstance(asked, list) else []
        # What a model thought between its turns is no turn.
        turns = [t for t in turns if not (isinstance(t, dict) and t.get("type") == "reasoning")]
        messages += read_messages(fields, turns, openai.image_part, "input")
    answers = [
        item
        for item in response.get("output") or ()
        if isinstance(item, dict) and item.get("type") != "reasoning"
    ]
    if any(item.get("type") != "message" for item in answers):
        fields.problem("the response calls a tool, which kolm does not train")
        return None
    parts = [part for item in answers for part in item.get("content") or ()]
    if any(isinstance(part, dict) and part.get("type") == "refusal" for part in parts):
        fields.problem("the model refused to answer")
        return None
    said = read_content(fields, parts, openai.image_part, "output")
    tags = ("cut-short",) if response.get("status") == "incomplete" else ()
    model = response.get("model") or request.get("model")
    return Pair(
        conversation([*messages, Message("assistant", said)]),
        model=model if isinstance(model, str) else "",
        tags=tags,
    )


APIS = (
    Api("/chat/completions", streams.openai_chat, openai.parse_chat),
    Api("/responses", streams.openai_responses, _parse_responses),
    Api("/messages", streams.anthropic, anthropic.parse),
)


def api_of(method: str, path: str) -> Api | None:
    """The API that a request speaks, if it is one that is recorded."""
    if method != "POST":
        return None
    return next((api for api in APIS if path.endswith(api.path)), None)


class CallReader:
    """Turns calls into pairs.

    Args:
        fetcher: gets the images that calls name by URL.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        # Members: a name in a call is looked up nowhere, least of all in the file system.
        self._images = ImageReader(Path("/nonexistent"), ImageChecker(), lambda _: None)
        self._fetcher = fetcher

    def read(self, call: Call) -> tuple[NewPair | None, str]:
        """The call's pair, or None and the reason why there can be none.

        Raises:
            UnreadableError: it is not as its API writes calls.
            Exception: nobody foresaw such a call.
        """
        api = api_of("POST", call.path)
        if api is None:
            return None, f"{call.path} is not recorded"
        try:
            request = json.loads(decoded(call.request, call.request_encoding))
            body = decoded(call.response, call.response_encoding)
            streamed = call.response_type.split(";")[0].strip() == "text/event-stream"
            response = api.unstream(body) if streamed else json.loads(body)
        except streams.IncompleteError as error:
            return None, str(error)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UnreadableError(_unlike(error)) from error
        if not isinstance(request, dict) or not isinstance(response, dict):
            raise UnreadableError("not as the API writes it: no object")
        return self._pair(api, call, request, response)

    def _pair(
        self, api: Api, call: Call, request: Mapping[str, Any], response: Mapping[str, Any]
    ) -> tuple[NewPair | None, str]:
        problems: list[str] = []
        request = self._fetcher.resolve(request, problems)
        record = {"request": request, "response": response}
        fields = Fields(RawRow(call.path, record, self._images))
        try:
            parsed = api.parse(fields)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            raise UnreadableError(_unlike(error)) from error
        problems += [problem.what for problem in fields.problems]
        if parsed is not None:
            problems += [fault.what for fault in faults(parsed.conversation)]
        if problems or parsed is None:
            return None, "; ".join(dict.fromkeys(problems))[:500]
        # Not every field of a shape is read as text.
        "".join((parsed.model, *parsed.tags)).encode()
        pair = replace(parsed, captured=call.time)
        return NewPair(pair, "proxy", fields.shown(parsed), fields.facts), ""


def _unlike(error: Exception) -> str:
    return f"not as the API writes it: {type(error).__name__}: {error}"[:300]


def decoded(body: bytes, encoding: str) -> bytes:
    """A body without its Content-Encoding.

    Raises:
        ValueError: an encoding that kolm cannot undo, damaged, or too large.
    """
    for name in reversed([part.strip().lower() for part in encoding.split(",") if part.strip()]):
        if name in ("gzip", "x-gzip", "deflate"):
            # 47: gzip and zlib by their heads; the bound keeps a bomb from filling memory.
            try:
                machine = zlib.decompressobj(47)
                body = machine.decompress(body, MAX_BODY)
            except zlib.error as error:
                raise ValueError(f"damaged {name}: {error}") from error
            if machine.unconsumed_tail:
                raise ValueError(f"more than {MAX_BODY} bytes")
        elif name != "identity":
            raise ValueError(f"encoded with {name}, which kolm does not undo")
    return body


DECODABLE = ("gzip", "deflate", "identity")
