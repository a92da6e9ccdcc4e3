"""One text in two Unicode forms is one answer: a perfect adapter must be able to score 1."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.scoring.metrics.base import ChosenMetric
from kolm_cli.scoring.metrics.catalog import METRICS

FORMS = st.sampled_from(["NFC", "NFD"])


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
@given(text=st.text(max_size=30), said=FORMS, accepted=FORMS)
def test_the_form_does_not_count(metric: object, text: str, said: str, accepted: str) -> None:
    score = ChosenMetric(metric).score  # type: ignore[arg-type]
    answer, prediction = unicodedata.normalize(accepted, text), unicodedata.normalize(said, text)
    assert score(prediction, [answer]) == 1.0


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_other_letters_stay_other_letters(metric: object) -> None:
    """Compatibility forms are not folded: a superscript two is no 2."""
    assert ChosenMetric(metric).score("x\u00b2 = a", ["x2 = b"]) < 1.0  # type: ignore[arg-type]
