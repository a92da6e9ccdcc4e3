"""Rows as other programs write them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.formats.fields import ImportedRow
from kolm_cli.formats.reader import RowReader, read_rows
from kolm_cli.records.conversation import Image, Message, Text
from tests.capture.helpers import write_rows
from tests.formats.helpers import IMAGES, NAMES

URI = "data:image/png;base64," + base64.b64encode(IMAGES[0]).decode()
B64 = base64.b64encode(IMAGES[0]).decode()
ASKED = [{"type": "text", "text": "q"}, {"type": "image_url", "image_url": {"url": URI}}]
Q = Message("user", (Text("q"), Image(NAMES[0])))
Q_FIRST = Message("user", (Image(NAMES[0]), Text("q")))
A = Message("assistant", (Text("a"),))


FOREIGN: dict[str, tuple[dict[str, Any], tuple[Message, ...], str]] = {
    "OpenAI fine-tuning, detail and several text parts": (
        {
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "q"},
                        {"type": "image_url", "image_url": {"url": URI, "detail": "low"}},
                        {"type": "text", "text": ""},
                    ],
                },
                {"role": "assistant", "content": "a", "weight": 1},
            ]
        },
        (Message("system", (Text("Be brief."),)), Q, A),
        "openai-finetune",
    ),
    "OpenAI chat log": (
        {
            "request": {"model": "gpt-x", "messages": [{"role": "user", "content": ASKED}]},
            "response": {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "choices": [{"index": 0, "finish_reason": "stop",
                             "message": {"role": "assistant", "content": "a", "refusal": None}}],
            },
        },
        (Q, A),
        "openai-chat",
    ),
    "OpenAI batch output joined with its input": (
        {
            "custom_id": "1",
            "body": {"model": "m", "messages": [{"role": "user", "content": ASKED}]},
            "response": {"status_code": 200, "body": {"choices": [
                {"message": {"role": "assistant", "content": "a"}}]}},
        },
        (Q, A),
        "openai-chat",
    ),
    "Anthropic messages": (
        {
            "model": "claude",
            "system": [{"type": "text", "text": "Be brief."}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "image",
                     "source": {"type": "base64", "media_type": "image/png", "data": B64}},
                    {"type": "text", "text": "q", "cache_control": {"type": "ephemeral"}},
                ]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hmm", "signature": "x"},
                    {"type": "text", "text": "a"}]},
            ],
        },
        (Message("system", (Text("Be brief."),)), Q_FIRST, A),
        "anthropic",
    ),
    "Anthropic call log": (
        {
            "request": {"model": "claude", "messages": [{"role": "user", "content": [
                {"type": "text", "text": "q"},
                {"type": "image",
                 "source": {"type": "base64", "media_type": "image/png", "data": B64}}]}]},
            "response": {"content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn"},
        },
        (Q, A),
        "anthropic",
    ),
    "LLaVA": (
        {
            "id": "000000033471",
            "image": "0.png",
            "conversations": [
                {"from": "human", "value": "<image>\nq"},
                {"from": "gpt", "value": "a"},
            ],
        },
        (Q_FIRST, A),
        "sharegpt",
    ),
    "LLaVA, marker last": (
        {
            "image": "0.png",
            "conversations": [
                {"from": "human", "value": "q<image>"},
                {"from": "gpt", "value": "a"},
            ],
        },
        (Q, A),
        "sharegpt",
    ),
    "ShareGPT with images and no marker": (
        {
            "images": ["0.png"],
            "system": "Be brief.",
            "conversations": [
                {"from": "human", "value": "q"},
                {"from": "gpt", "value": "a"},
            ],
        },
        (Message("system", (Text("Be brief."),)), Q_FIRST, A),
        "sharegpt",
    ),
    "TRL messages with plain content": (
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
         "images": ["0.png"]},
        (Q_FIRST, A),
        "trl-messages",
    ),
    "TRL messages with parts and nulls": (
        {"messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "q"}, {"type": "image", "text": None}]},
            {"role": "assistant", "content": [{"type": "text", "text": "a"}]}],
         "images": ["0.png"]},
        (Q, A),
        "trl-messages",
    ),
    "TRL prompt and completion, conversational": (
        {"prompt": [{"role": "user", "content": "q"}],
         "completion": [{"role": "assistant", "content": "a"}], "image": "0.png"},
        (Q_FIRST, A),
        "trl-prompt",
    ),
    "TRL prompt and completion, plain": (
        {"prompt": "q", "completion": "a", "images": ["0.png"]},
        (Q_FIRST, A),
        "trl-prompt",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_rows_as_other_programs_write_them(name: str, tmp_path: Path) -> None:
    record, messages, format = FOREIGN[name]
    (tmp_path / "0.png").write_bytes(IMAGES[0])
    path = write_rows(tmp_path / "r.jsonl", [record])
    reader = RowReader(path)
    (row,) = reader
    assert isinstance(row, ImportedRow), row
    assert row.conversation.messages == messages
    assert reader.format == f"json, {format}"
    # An array of the same, over many lines or on one, names the line and the element.
    for indent, where in ((None, "r.json:1[1]"), (1, "r.json:")):
        array = tmp_path / "r.json"
        array.write_text(json.dumps([record, record], indent=indent))
        rows = list(read_rows(array))
        assert [row.conversation.messages for row in rows] == [messages] * 2  # type: ignore[union-attr]
        assert isinstance(rows[1], ImportedRow)
        assert rows[1].where.startswith(where)
        line = int(rows[1].where.split(":")[1].split("[")[0])
        assert line == 1 or array.read_text().splitlines()[line - 1].strip() == "{"
