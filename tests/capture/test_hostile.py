"""Whatever stands in a file: a row, or a problem that names its place. Never a crash."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolm_cli.capture.proxy import streams
from kolm_cli.capture.proxy.calls import CallReader, UnreadableError
from kolm_cli.capture.proxy.fetch import Fetcher
from kolm_cli.capture.proxy.spool import Call
from kolm_cli.core.errors import Problem
from kolm_cli.formats import catalog
from kolm_cli.formats.fields import ImportedRow
from kolm_cli.formats.reader import read_rows
from kolm_cli.records.conversation import Conversation
from tests.capture.helpers import png

KEYS = sorted(
    {key for shape in catalog.SHAPES for key in shape.keys}
    | {"role", "content", "type", "text", "image_url", "url", "source", "data", "from", "value"}
    | {"bytes", "path", "choices", "message", "delta", "index", "output", "input"}
)
WORDS = ["user", "assistant", "system", "text", "image", "image_url", "base64", "human", "gpt",
         "<image>", "a.png", "output_text", "message", "", "tool", "\ud800", "\0"]  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=20,
)
RECORDS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "a.png").write_bytes(png())
        yield Path(name)


def read(path: Path, format: str | None = None) -> list[ImportedRow | Problem]:
    found = list(read_rows(path, format=format))
    for item in found:
        assert item.where.startswith(path.name)
        if isinstance(item, ImportedRow):
            # What is given can be stored and read again.
            again = Conversation.from_json(json.loads(json.dumps(item.conversation.as_json())))
            assert again.digest == item.conversation.digest
            assert set(item.images) == set(item.conversation.images)
    return found


@settings(max_examples=120, deadline=None)
@given(st.lists(RECORDS | VALUES, max_size=4), st.sampled_from([None, *catalog.names()[:7]]))
def test_any_json_gives_rows_or_problems(records: list[Any], format: str | None) -> None:
    with folder() as here:
        path = here / "x.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        found = read(path, format)
        # Every line is accounted for.
        lines = {item.where.split("[")[0].split(":")[1] for item in found}
        assert lines == {str(i + 1) for i in range(len(records))}
        path = here / "x.json"
        path.write_text(json.dumps(records))
        assert len({item.where for item in read(path, format)}) == len(records)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["x.jsonl", "x.json", "x.csv", "x.tar",
                                                 "x.parquet", "x.tar.gz"]))  # fmt: skip
def test_any_bytes_give_problems(data: bytes, name: str) -> None:
    with folder() as here:
        (here / name).write_bytes(data)
        for item in read_rows(here / name):
            assert isinstance(item, Problem)
            assert name in item.where


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(["/v1/chat/completions", "/v1/responses", "/v1/messages"]),
    RECORDS,
    RECORDS,
    st.booleans(),
)
def test_any_call_gives_a_pair_or_a_reason(
    path: str, request: Any, response: Any, stream: bool
) -> None:
    kind = "text/event-stream" if stream else "application/json"
    body = json.dumps(response).encode()
    if stream:
        body = b"data: " + body + b"\n\ndata: [DONE]\n\n"
    call = Call("k", "ns", 0, path, "", "", kind, json.dumps(request).encode(), body)
    try:
        pair, reason = CallReader(Fetcher()).read(call)
    except UnreadableError as error:
        # Set aside with this reason, and nothing else.
        pair, reason = None, str(error)
    assert (pair is None) == bool(reason)


@settings(max_examples=80, deadline=None)
@given(st.lists(RECORDS, max_size=5))
def test_any_stream_is_read_or_refused(events: list[Any]) -> None:
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    for read_stream in (streams.openai_chat, streams.openai_responses, streams.anthropic):
        try:
            read_stream(body)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def test_a_gzip_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    from kolm_cli.capture.proxy import calls

    monkeypatch.setattr(calls, "MAX_BODY", 1000)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        calls.decoded(gzip.compress(bytes(100_000)), "gzip")
    with pytest.raises(ValueError, match="which kolm does not undo"):
        calls.decoded(b"x", "br")
