"""Boxes are sent as the model was taught them, and read back as the bundle has them."""

from __future__ import annotations

from collections.abc import Callable

from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.parity.prompts import expected_of, messages_of, probes_of
from tests.support.cases import Case, picture


def test_boxes_of_a_server_are_those_of_the_originals(new_case: Callable[..., Case]) -> None:
    case = new_case("qwen2_5_vl")
    record = {"image": picture(120, 112, 0), "prompt": "What is at <bbox>?", "response": "<bbox>"}
    boxed = {**record, "boxes": [[10, 15, 90, 70], [60, 56, 120, 112]]}
    plain = {**record, "prompt": "What?", "response": "[1, 2, 3, 4]"}
    rows = rows_from_python([boxed, plain])
    with_boxes, without = expected_of(case.encoder(), rows)
    # 120 x 112 is shown as 112 x 112.
    assert with_boxes.asked is not None
    (question,) = messages_of(with_boxes.asked)
    assert question["content"][-1] == {"type": "text", "text": "What is at [9, 15, 84, 70]?"}
    assert with_boxes.placed("[56, 56, 112, 112]") == "[60, 56, 120, 112]"
    assert without.placed("[1, 2, 3, 4]") == "[1, 2, 3, 4]"
    # Without its picture nobody knows where a box is.
    assert len(probes_of(case.encoder(), rows, 4)) == 1
