"""Boxes in texts, and the metrics that compare them, against a reference implementation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.scoring.boxes import MAX_BOXES, found_in, iou, matched
from kolm_cli.scoring.metrics.catalog import get_metric

side = st.tuples(st.integers(0, 60), st.integers(1, 40)).map(lambda s: (s[0], s[0] + s[1]))
boxes = st.tuples(side, side).map(lambda s: (s[0][0], s[1][0], s[0][1], s[1][1]))


def score(metric: str, prediction: str, *answers: str) -> float:
    return get_metric(metric).score(prediction, answers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"bbox_2d": [10, 15.5, 90, 70], "label": "dog"}]', [(10, 15.5, 90, 70)]),
        ("[[1,2,3,4], [5,6,7,8]]", [(1, 2, 3, 4), (5, 6, 7, 8)]),
        ("(1,2),(3,4)", [(1, 2, 3, 4)]),
        ("( 1 , 2 ) , ( 3 , 4 )", [(1, 2, 3, 4)]),
        ("click(12, 34)", [(12, 34)]),
        ('{"point_2d": [-1, +2.25]}', [(-1, 2.25)]),
        ("(1,2) and (3,4)", [(1, 2), (3, 4)]),
        ("[1, 2, 3]", []),
        ("1, 2, 3, 4", []),
        ("[1e3, 2, 3, 4]", []),
        ("[" * 5000, []),
        ("[" + "1," * 5000, []),
        ("[nan, 1, 2, 3]", []),
    ],
)
def test_what_is_found_in_a_text(text: str, expected: list[tuple[float, ...]]) -> None:
    assert found_in(text) == expected


def test_iou_is_the_reference_s() -> None:
    import torch
    from torchvision.ops import box_iou

    torch.manual_seed(0)
    corners = torch.rand(80, 2, dtype=torch.float64) * 60
    drawn = torch.cat([corners, corners + 0.01 + torch.rand(80, 2, dtype=torch.float64) * 40], 1)
    expected = box_iou(drawn, drawn)
    assert ((expected > 0) & (expected < 1)).sum() > 1000
    for i, one in enumerate(drawn.tolist()):
        for j, other in enumerate(drawn.tolist()):
            assert iou(tuple(one), tuple(other)) == pytest.approx(expected[i, j].item(), abs=1e-12)


@given(boxes, boxes)
def test_one_box_scores_its_iou(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    said, right = str(list(one)), f"the dog is at {list(other)}."
    value = score("iou", said, right)
    assert value == iou(one, other) == score("iou", str(list(other)), str(list(one)))
    assert score("iou@0.5", said, right) == float(value >= 0.5)
    assert score("iou", right, right) == score("iou@0.5", right, right) == 1.0


@pytest.mark.parametrize(
    ("metric", "prediction", "answer", "expected"),
    [
        ("iou", "[0, 0, 10, 10]", "[0, 0, 10, 20]", 0.5),
        ("iou", "[0, 0, 10, 10]", "[5, 5, 15, 15]", 25 / 175),
        ("iou", "[0, 0, 10, 10]", "[10, 0, 20, 10]", 0.0),  # they touch
        ("iou", "[10, 10, 0, 0]", "[0, 0, 10, 10]", 0.0),  # right and left swapped
        ("iou", "[5, 5]", "[0, 0, 10, 10]", 0.0),
        ("iou", "", "[0, 0, 10, 10]", 0.0),
        ("iou", "[0,0,10,10] [50,50,60,60]", "[0, 0, 10, 10]", 0.5),  # one too many
        ("iou", "[0,0,10,10]", "[0,0,10,10] [50,50,60,60]", 0.5),  # one is missing
        ("iou", "[50,50,60,60] [0,0,10,10]", "[0,0,10,10] [50,50,60,60]", 1.0),
        ("iou@0.5", "[0, 0, 10, 10]", "[0, 0, 10, 20]", 1.0),
        ("iou@0.5", "[0, 0, 10, 9.9]", "[0, 0, 10, 20]", 0.0),
        ("iou@0.5", "[0,0,10,10] [50,50,60,61]", "[0,0,10,10] [50,50,60,60] [1,1,2,2]", 2 / 3),
        ("click_in_box", "[5, 5]", "[0, 0, 10, 10]", 1.0),
        ("click_in_box", "(10, 10)", "[0, 0, 10, 10]", 1.0),  # the edge belongs to it
        ("click_in_box", "(10.5, 10)", "[0, 0, 10, 10]", 0.0),
        ("click_in_box", "[4, 4, 8, 8]", "[0, 0, 10, 10]", 1.0),  # by its center
        ("click_in_box", "[50, 50] [5, 5]", "[0, 0, 10, 10]", 0.0),  # the first one counts
        ("click_in_box", "nowhere", "[0, 0, 10, 10]", 0.0),
    ],
)
def test_known_values(metric: str, prediction: str, answer: str, expected: float) -> None:
    assert score(metric, prediction, answer) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", ["iou", "iou@0.5", "click_in_box"])
def test_an_answer_without_a_box_cannot_be_scored(metric: str) -> None:
    with pytest.raises(ValueError, match="holds no box"):
        score(metric, "[0, 0, 1, 1]", "yes")
    with pytest.raises(ValueError, match=f"more than {MAX_BOXES}"):
        score(metric, "[0, 0, 1, 1]", "[0, 0, 1, 1]" * (MAX_BOXES + 1))


def test_a_box_is_paired_once() -> None:
    same = [(0.0, 0.0, 10.0, 10.0)] * 3
    assert matched(same, same[:2]) == [1.0, 1.0]
    assert score("iou", "[0, 0, 10, 10]" * 5000, "[0, 0, 10, 10]") == 1 / 5000
