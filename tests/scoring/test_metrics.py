"""The metrics against what their publications define."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.core.errors import InputError
from kolm_cli.scoring.metrics.catalog import METRICS, choose, get_metric, names

texts = st.text(max_size=30)
# Metrics that read any text as an answer, and have the best over several.
PLAIN = [
    name for name in names() if name not in ("regex", "vqa_accuracy", "json_fields", "weighted")
]
box = st.tuples(*[st.integers(0, 9)] * 4).map(
    lambda v: f"[{v[0]}, {v[1]}, {v[0] + v[2] + 1}, {v[1] + v[3] + 1}]"
)
# The metrics of boxes take answers with a box only.
ANSWERS = {name: box for name in ("iou", "iou@0.5", "click_in_box")}
numbers = st.decimals(min_value=-(10**9), max_value=10**9, places=3, allow_nan=False)


def score(metric: str, prediction: str, *answers: str) -> float:
    return choose(metric, {}).score(prediction, answers)


def test_names() -> None:
    assert names()[:3] == ("exact_match", "relaxed_accuracy", "anls")
    assert len(set(names())) == len(names())


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("relaxed_acuracy", "relaxed_accuracy"), ("ANLS", "anls"), ("bleu", "write one of")],
)
def test_an_unknown_name_names_the_likely_one(wrong: str, meant: str) -> None:
    with pytest.raises(InputError, match=meant):
        get_metric(wrong)


@pytest.mark.parametrize("metric", PLAIN)
@given(data=st.data())
def test_every_score_is_in_range_and_no_answer_hurts(metric: str, data: st.DataObject) -> None:
    kind = ANSWERS.get(metric, texts)
    prediction = data.draw(texts | kind)
    answers = data.draw(st.lists(kind, min_size=1, max_size=4))
    alone = [score(metric, prediction, answer) for answer in answers]
    assert all(0 <= value <= 1 for value in alone)
    assert score(metric, prediction, *answers) == max(alone)


@pytest.mark.parametrize("metric", PLAIN)
@given(data=st.data())
def test_the_answer_itself_is_right_whatever_the_spaces(metric: str, data: st.DataObject) -> None:
    answer = data.draw(ANSWERS.get(metric, texts))
    assert score(metric, f"  {answer}\n", answer) == 1.0


@pytest.mark.parametrize("metric", names())
def test_a_row_without_answers_is_refused(metric: str) -> None:
    parts = [{"name": "anls"}, {"name": "cer"}]
    chosen = choose(metric, {"metrics": parts} if metric == "weighted" else {})
    with pytest.raises(ValueError, match="without an accepted answer"):
        chosen.score("x", [])


@pytest.mark.parametrize("metric", ["exact_match", "anls"])
@given(one=texts, other=texts)
def test_symmetric(metric: str, one: str, other: str) -> None:
    assert score(metric, one, other) == score(metric, other, one)


@pytest.mark.parametrize(
    ("metric", "expected"), [("exact_match", 0.0), ("relaxed_accuracy", 1.0), ("anls", 1.0)]
)
def test_case(metric: str, expected: float) -> None:
    assert score(metric, "BLUE", "blue") == expected


@pytest.mark.parametrize(
    ("prediction", "answer", "expected"),
    [
        ("105", "100", 1.0),
        ("105.1", "100", 0.0),
        ("95", "100", 1.0),
        ("94.9", "100", 0.0),
        ("0.315", "0.3", 1.0),  # exactly 5 %, which binary floats miss
        ("-3", "3", 0.0),
        ("-3.1", "-3", 1.0),
        ("25%", "0.25", 1.0),
        ("25", "25%", 0.0),
        ("26 %", "25%", 1.0),
        ("1,234", "1234", 1.0),
        ("1234", "1,234.5", 1.0),
        ("1,23", "123", 0.0),  # not a thousands separator
        ("1e3", "1000", 1.0),
        ("0.0", "0", 1.0),
        ("0.01", "0", 0.0),
        (".5", "0.50", 1.0),
        ("Yes", "yes", 1.0),
        ("yes.", "yes", 0.0),
        ("nan", "1", 0.0),
        ("NaN", "nan", 1.0),
        ("inf", "100", 0.0),
        ("10 apples", "10", 0.0),
        ("9" * 5000, "9", 0.0),
        ("1e999", "1", 0.0),
        ("", "0", 0.0),
    ],
)
def test_relaxed_accuracy(prediction: str, answer: str, expected: float) -> None:
    assert score("relaxed_accuracy", prediction, answer) == expected


@given(answer=numbers, percent=st.integers(-20, 20))
def test_relaxed_accuracy_is_five_percent_of_the_answer(answer: object, percent: int) -> None:
    prediction = answer * (100 + percent) / 100  # type: ignore[operator]
    expected = float(abs(percent) <= 5 or answer == 0)
    assert score("relaxed_accuracy", f"{prediction:f}", f"{answer:f}") == expected


@pytest.mark.parametrize(
    ("prediction", "answers", "expected"),
    [
        ("cat", ["cat"], 1.0),
        ("cats", ["cat"], 0.75),
        ("moses, aaron", ["Moses Aaron"], 1 - 1 / 12),
        ("abcd", ["abxx"], 0.5),  # the evaluator keeps what is exactly at the threshold
        ("abc", ["axy"], 0.0),
        ("dog", ["cat", "dogs"], 0.75),
        ("", ["cat"], 0.0),
        ("new   york", ["New York"], 1.0),
    ],
)
def test_anls(prediction: str, answers: list[str], expected: float) -> None:
    assert score("anls", prediction, *answers) == pytest.approx(expected, abs=1e-12)


@given(one=texts, other=texts)
def test_anls_is_nothing_or_at_least_a_half(one: str, other: str) -> None:
    value = score("anls", one, other)
    assert value == 0 or value >= 0.5


def test_every_metric_says_what_it_is() -> None:
    for metric in METRICS:
        assert metric.summary
        assert metric.source
