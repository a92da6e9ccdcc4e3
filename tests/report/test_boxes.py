"""Boxes on the pictures of a report: which are drawn, where, and how they are told apart."""

from __future__ import annotations

import pytest

from kolm_cli.records.conversation import Box, Conversation, Image, Message, Text
from kolm_cli.records.row import Row
from kolm_cli.report.boxes import MOST_BOXES, are_shown, marks_of, spoken, words
from kolm_cli.scoring.metrics.catalog import choose

SIZES = {0: (100, 50), 1: (40, 40)}


def row(*answer: Text) -> Row:
    asked = (Image("a" * 64), Image("b" * 64), Text("Where?"))
    conversation = Conversation((Message("user", asked), Message("assistant", answer)))
    return Row("x", conversation, {}, ())


ONE = row(Box.at((10, 20, 30, 40)))


def test_boxes_are_drawn_where_their_numbers_are_pixels() -> None:
    parts = {"metrics": [{"name": "iou"}, {"name": "anls"}]}
    assert are_shown(choose("iou", {}), ONE, "pixels")
    assert are_shown(choose("weighted", parts), ONE, "pixels")
    for metric, asked, convention in (
        (choose("exact_match", {}), ONE, "pixels"),
        (choose("iou", {}), ONE, None),  # the family has no convention: whose numbers are these?
        (choose("iou", {}), row(Text("[10, 20, 30, 40]")), "pixels"),
    ):
        assert not are_shown(metric, asked, convention)


def test_each_box_is_on_its_picture() -> None:
    two = row(Box.at((10, 20, 30, 40)), Text(" and "), Box.at((1, 2, 3, 4), 1))
    said = {"adapter": "[30, 40, 10, 20] then (5, 6), (7, 8) then [0, 0, 40, 40]", "base": None}
    found = marks_of(two, SIZES, said)
    paths = {place: [(m.who, m.path) for m in marks] for place, marks in found.items()}
    assert paths == {
        0: [("right", "M10 20H30V40H10Z"), ("adapter", "M10 20H30V40H10Z")],
        1: [("right", "M1 2H3V4H1Z"), ("adapter", "M5 6H7V8H5Z"), ("adapter", "M0 0H40V40H0Z")],
    }
    assert spoken(found[0]) == "right [10, 20, 30, 40]; adapter [30.0, 40.0, 10.0, 20.0]"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, "adapter (no box)"),
        ("left of the tree", "adapter (no box)"),
        ("[200, 10, 300, 20]", "adapter (outside of the picture)"),
        ("[90, 10, 300, 20]", "adapter"),
        ("[50, 25]", "adapter"),
    ],
)
def test_the_key_says_what_cannot_be_seen(said: str | None, expected: str) -> None:
    found = marks_of(ONE, SIZES, {"adapter": said})
    assert [word for who, word in words(found[0]) if who == "adapter"] == [expected]


def test_a_babbling_model_draws_only_so_much() -> None:
    found = marks_of(ONE, SIZES, {"adapter": "[1, 2, 3, 4]" * 5000})
    assert len(found[0]) == 1 + MOST_BOXES
    assert spoken(found[0]).endswith(f"and {MOST_BOXES - 6} more")
