"""Nonsense, signed by a trusted key: a verdict, never a crash."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kolm_cli.bundle.build import build_bundle
from kolm_cli.bundle.verify import Report
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import KolmError
from tests.bundle import factory
from tests.bundle.mutations.byte_changes import byte_mutations
from tests.bundle.mutations.good import Good, encoded, often
from tests.bundle.mutations.json_changes import change_value


@st.composite
def nonsense(draw: st.DrawFn) -> tuple[Any, ...]:
    """Contents that a trusted key signs although they make no sense."""
    content = factory.make_content()
    files = dict(content.files)
    name = draw(st.sampled_from(sorted(files)))
    data = files[name]
    assert isinstance(data, bytes)
    if name.endswith((".json", ".jsonl")) and draw(st.booleans()):
        lines = data.split(b"\n") if name.endswith(".jsonl") else [data]
        value = json.loads(lines[0])
        change_value(draw, value)
        lines[0] = encoded(value)
        files[name] = b"\n".join(lines)
    else:
        for mutation in draw(st.lists(byte_mutations, max_size=2)):
            data = mutation(data) if data else data
        files[name] = data
    receipt = json.loads(canonical_json.dumps(dict(content.receipt)))
    if draw(st.booleans()):
        change_value(draw, receipt)
    return replace(content, files=files, receipt=receipt)  # type: ignore[return-value]


def judged(good: Good, content: Any) -> Report | None:
    try:
        build_bundle(content, good.signer, good.mutant)
    except KolmError:
        return None  # what cannot be written need not be verified
    return good.judge(good.mutant.read_bytes())


@often(200)
@given(content=nonsense())
@example(content=factory.make_content())
def test_signed_nonsense_gets_a_verdict(good: Good, content: Any) -> None:
    """The signer is trusted, so some of it verifies; none of it may crash the verifier."""
    report = judged(good, content)
    assert report is None or report.state in ("trusted", "invalid")


@pytest.mark.slow
@often(2_000)
@given(content=nonsense())
def test_signed_nonsense_thoroughly(good: Good, content: Any) -> None:
    report = judged(good, content)
    assert report is None or report.state in ("trusted", "invalid")
