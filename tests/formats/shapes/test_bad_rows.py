"""Rows that teach nothing are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolm_cli.core.errors import Problem
from kolm_cli.formats.reader import read_rows
from tests.capture.helpers import write_rows
from tests.formats.helpers import IMAGES

USER = {"role": "user", "content": [{"type": "text", "text": "q"}]}


BAD: dict[str, tuple[object, str]] = {
    "tool message": ({"messages": [USER, {"role": "tool", "content": "x"}]}, "is not a role"),
    "tool call": (
        {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [{"id": 1}]}]},
        "calls a tool",
    ),
    "ends with the user": ({"messages": [USER]}, "last message is not the assistant's"),
    "weight 0": (
        {"messages": [USER, {"role": "assistant", "content": "a", "weight": 0}]},
        "not to be learned",
    ),
    "audio part": (
        {"messages": [{"role": "user", "content": [{"type": "input_audio"}]},
                      {"role": "assistant", "content": "a"}]},
        "is not a kind of part",
    ),
    "more markers than images": (
        {"image": "0.png", "conversations": [{"from": "human", "value": "<image><image>q"},
                                             {"from": "gpt", "value": "a"}]},
        "2 <image> markers for 1 images",
    ),
    "more images than parts": (
        {"messages": [{"role": "user", "content": [{"type": "image"}]},
                      {"role": "assistant", "content": "a"}], "images": ["0.png", "0.png"]},
        "1 image parts for 2 images",
    ),
    "video": ({"video": "x.mp4", "conversations": [{"from": "human", "value": "q"},
                                                   {"from": "gpt", "value": "a"}]}, "images only"),
    "conversation is text": ({"conversations": "x"}, "expected a list, found text"),
    "refusal": (
        {"request": {"messages": [USER]},
         "response": {"choices": [{"message": {"content": None, "refusal": "no"}}]}},
        "refused to answer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_rows_that_teach_nothing_are_named(name: str, tmp_path: Path) -> None:
    record, expected = BAD[name]
    (tmp_path / "0.png").write_bytes(IMAGES[0])
    found = list(read_rows(write_rows(tmp_path / "r.jsonl", [record])))
    assert all(isinstance(problem, Problem) for problem in found)
    assert any(expected in problem.what for problem in found if isinstance(problem, Problem))
    assert all(problem.where == "r.jsonl:1" for problem in found)
