"""Records of the archive changed, moved, doubled and dropped at random."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bundle import factory
from tests.bundle.forge import archive, items_of
from tests.bundle.mutations.good import Good, often

names = st.one_of(
    st.sampled_from([*factory.make_files(), "manifest.json", "attestations/model.sig"]),
    st.from_regex(r"(adapter|processor|eval|attestations)/[a-z0-9]{1,8}\.(json|pkl|py|pem)"),
    st.text(max_size=12),
)


@st.composite
def entry_mutants(draw: st.DrawFn, good: Good) -> bytes:
    """A structurally faultless archive with other entries."""
    items = items_of_bytes(good)
    at = draw(st.integers(0, len(items) - 1))
    other = draw(st.integers(0, len(items) - 1))
    kind = draw(st.sampled_from(["drop", "twice", "rename", "swap", "content", "exchange", "add"]))
    if kind == "drop":
        items = items[:at] + items[at + 1 :]
    elif kind == "twice":
        items = [*items[: other + 1], items[at], *items[other + 1 :]]
    elif kind == "rename":
        items[at] = replace(items[at], name=draw(names).encode("utf-8", "surrogatepass"))
    elif kind == "swap":
        items[at], items[other] = items[other], items[at]
    elif kind == "content":
        items[at] = replace(items[at], data=draw(st.binary(max_size=60)))
    elif kind == "exchange":
        items[at] = replace(items[at], data=items[other].data)
    else:
        name = draw(names).encode("utf-8", "surrogatepass")
        items.insert(at, replace(items[at], name=name))
    return archive(items)


def items_of_bytes(good: Good) -> list[Any]:
    path = good.mutant.with_name("source.kolm")
    if not path.exists():
        path.write_bytes(good.data)
    return items_of(path)


@often(500)
@given(data=st.data())
def test_entries(good: Good, data: st.DataObject) -> None:
    good.assert_refused(data.draw(entry_mutants(good)))


@pytest.mark.slow
@often(6_000)
@given(data=st.data())
def test_entries_thoroughly(good: Good, data: st.DataObject) -> None:
    good.assert_refused(data.draw(entry_mutants(good)))
