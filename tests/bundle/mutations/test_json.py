"""JSON values changed at random, with digests mended to fit."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bundle.forge import pack
from tests.bundle.mutations.good import Good, encoded, often
from tests.bundle.mutations.json_changes import change_value, mend


@st.composite
def json_mutants(draw: st.DrawFn, good: Good) -> bytes:
    files = dict(good.files)
    name = draw(st.sampled_from([n for n in files if n.endswith((".json", ".jsonl", ".sig"))]))
    number, lines = 0, [files[name]]
    if name.endswith(".jsonl"):
        lines = files[name].split(b"\n")
        number = draw(st.integers(0, len(lines) - 2))
    value = json.loads(lines[number])
    inside = "dsseEnvelope" in value and draw(st.booleans())
    target = json.loads(base64.b64decode(value["dsseEnvelope"]["payload"])) if inside else value
    change_value(draw, target)
    if inside:
        value["dsseEnvelope"]["payload"] = base64.b64encode(encoded(target)).decode()
    lines[number] = encoded(value)
    files[name] = b"\n".join(lines)
    return pack(mend(files, name) if draw(st.booleans()) else files)


@often(600)
@given(data=st.data())
def test_json_values(good: Good, data: st.DataObject) -> None:
    good.assert_refused(data.draw(json_mutants(good)))


@pytest.mark.slow
@often(8_000)
@given(data=st.data())
def test_json_values_thoroughly(good: Good, data: st.DataObject) -> None:
    good.assert_refused(data.draw(json_mutants(good)))
