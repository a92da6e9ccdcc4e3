"""An upstream on loopback that answers as the real APIs do. Run: python upstream.py [DELAY]."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

DELAY = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
WORDS = ("The ", "bar ", "is ", "7", "5 % ", "– ✓")  # noqa: RUF001
ANSWER = "".join(WORDS)


def sse(*events: tuple[str, Any]) -> list[bytes]:
    return [
        (f"event: {name}\n" if name else "").encode()
        + b"data: "
        + (value if isinstance(value, str) else json.dumps(value)).encode()
        + b"\n\n"
        for name, value in events
    ]


async def slowly(pieces: list[bytes], cut: bool) -> AsyncIterator[bytes]:
    for piece in pieces[: len(pieces) // 2 if cut else None]:
        # An event may arrive in two pieces, cut inside a character.
        yield piece[:-7]
        await asyncio.sleep(0.01)
        yield piece[-7:]


def stream(request: Request, *events: tuple[str, Any]) -> Response:
    cut = request.headers.get("x-cut") == "1"
    return StreamingResponse(slowly(sse(*events), cut), media_type="text/event-stream")


def plain(request: Request, value: dict[str, Any]) -> Response:
    body = json.dumps(value, indent=1).encode()
    headers = {"x-request-id": "req-1", "set-cookie": "session=COOKIE-SECRET"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            gzip.compress(body, mtime=0),
            media_type="application/json",
            headers={**headers, "content-encoding": "gzip"},
        )
    return Response(body, media_type="application/json", headers=headers)


async def chat(request: Request) -> Response:
    body = await request.json()
    await asyncio.sleep(DELAY)
    if body["model"] == "broken":
        return JSONResponse({"error": {"message": "no such model"}}, status_code=404)
    answer = ANSWER
    if isinstance(body["messages"][-1]["content"], str):
        answer = "you said: " + body["messages"][-1]["content"]
    head = {"id": "chatcmpl-1", "created": 1, "model": body["model"] + "-2026"}
    if not body.get("stream"):
        return plain(
            request,
            {
                **head,
                "object": "chat.completion",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": answer, "refusal": None},
                        "finish_reason": "stop",
                    }
                ],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            },
        )

    def chunk(delta: dict[str, Any], reason: str | None = None) -> tuple[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return "", {**head, "object": "chat.completion.chunk", "choices": [choice]}

    return stream(
        request,
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": word}) for word in WORDS),
        chunk({}, "stop"),
        ("", "[DONE]"),
    )


async def responses(request: Request) -> Response:
    body = await request.json()
    await asyncio.sleep(DELAY)
    part = {"type": "output_text", "text": ANSWER, "annotations": []}
    item = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
    whole = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": body["model"] + "-2026",
        "status": "completed",
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    if not body.get("stream"):
        return plain(request, whole)
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    begun = {**whole, "status": "in_progress", "output": []}
    events: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": {**item, "content": []}}),
        ("response.content_part.added", {**place, "part": {**part, "text": ""}}),
        *(
            ("response.output_text.delta", {**place, "delta": word, "logprobs": []})
            for word in WORDS
        ),
        ("response.output_text.done", {**place, "text": ANSWER, "logprobs": []}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": whole}),
    ]
    return stream(
        request,
        *((n, {"type": n, "sequence_number": i, **v}) for i, (n, v) in enumerate(events)),
    )


async def messages(request: Request) -> Response:
    body = await request.json()
    await asyncio.sleep(DELAY)
    usage = {"input_tokens": 1, "output_tokens": 1}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"]}
    thought = {"type": "thinking", "thinking": "hmm", "signature": "s"}
    if not body.get("stream"):
        return plain(
            request,
            {
                **head,
                "content": [thought, {"type": "text", "text": ANSWER}],
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": usage,
            },
        )
    start = {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    events: list[tuple[str, dict[str, Any]]] = [
        ("message_start", {"message": start}),
        ("content_block_start", {"index": 0, "content_block": {**thought, "thinking": ""}}),
        ("ping", {}),
        ("content_block_delta", {"index": 0, "delta": {"type": "thinking_delta", "thinking": "h"}}),
        ("content_block_stop", {"index": 0}),
        ("content_block_start", {"index": 1, "content_block": {"type": "text", "text": ""}}),
        *(
            ("content_block_delta", {"index": 1, "delta": {"type": "text_delta", "text": word}})
            for word in WORDS
        ),
        ("content_block_stop", {"index": 1}),
        (
            "message_delta",
            {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        ),
        ("message_stop", {}),
    ]
    return stream(request, *((name, {"type": name, **value}) for name, value in events))


async def echo(request: Request) -> Response:
    """Says what arrived, for paths that are passed through untouched."""
    seen = {
        "method": request.method,
        "path": request.scope["raw_path"].decode(),
        "query": request.scope["query_string"].decode(),
        "headers": {name.decode(): value.decode() for name, value in request.headers.raw},
        "body": (await request.body()).decode("latin-1"),
    }
    return JSONResponse(seen, status_code=int(request.headers.get("x-status", "200")))


def main() -> None:
    everything = ["GET", "POST", "PUT", "DELETE", "PATCH"]
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/responses", responses, methods=["POST"]),
            Route("/v1/messages", messages, methods=["POST"]),
            Route("/{path:path}", echo, methods=everything),
        ]
    )
    # asyncio turns Nagle's delay off only where the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
