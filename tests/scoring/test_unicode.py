"""One text in two Unicode forms is one answer: a perfect adapter must be able to score 1."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.scoring.metrics.base import ChosenMetric, Metric
from kolm_cli.scoring.metrics.catalog import METRICS

FORMS = st.sampled_from(["NFC", "NFD"])


# `regex` compares with expressions, `weighted` with other metrics, and three compare boxes.
OTHERS = ("regex", "weighted", "iou", "iou@0.5", "click_in_box")
COMPARING = [metric for metric in METRICS if metric.name not in OTHERS]


def score(metric: Metric, prediction: str, answer: str) -> float:
    """The score of one text against another, in the form that the metric reads."""
    if metric.name == "json_fields":
        prediction, answer = json.dumps([prediction]), json.dumps([answer])
    answers = [answer] * (10 if metric.name == "vqa_accuracy" else 1)
    return ChosenMetric(metric).score(prediction, answers)


@pytest.mark.parametrize("metric", COMPARING, ids=lambda metric: metric.name)
@given(text=st.text(max_size=30), said=FORMS, accepted=FORMS)
def test_the_form_does_not_count(metric: Metric, text: str, said: str, accepted: str) -> None:
    answer, prediction = unicodedata.normalize(accepted, text), unicodedata.normalize(said, text)
    assert score(metric, prediction, answer) == 1.0


@pytest.mark.parametrize("metric", COMPARING, ids=lambda metric: metric.name)
def test_other_letters_stay_other_letters(metric: Metric) -> None:
    """Compatibility forms are not folded: a superscript two is no 2."""
    assert score(metric, "x\u00b2 = a", "x2 = b") < 1.0
