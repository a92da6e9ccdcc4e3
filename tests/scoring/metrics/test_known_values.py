"""What reference implementations give, and what kolm gives for the same texts.

The values were written down on 2026-11-26 from the programs that are named; none of them is needed
to run the tests.
"""

from __future__ import annotations

import pytest

from kolm_cli.scoring.metrics.catalog import choose


def score(metric: str, prediction: str, *answers: str) -> float:
    return choose(metric, {}).score(prediction, answers)


# The official evaluator of SQuAD 2.0: normalize_answer, compute_exact and compute_f1.
SQUAD = [
    ("The Eiffel Tower", "eiffel tower!", 1, 1.0),
    ("an apple a day", "apple day", 1, 1.0),
    ("U.S.A.", "USA", 1, 1.0),
    ("theater", "theater", 1, 1.0),
    ("a man", "man, the", 1, 1.0),
    ("it's", "its", 1, 1.0),
    ("Paris, France", "paris", 0, 2 / 3),
    ("the cat sat on the mat", "a cat sat", 0, 2 / 3),
    ("one two three four", "two three five", 0, 4 / 7),
    ("the", "a", 1, 1.0),
    ("yes", "no", 0, 0.0),
    ("Denver Broncos", "The Denver Broncos of Colorado", 0, 2 / 3),
    ("1,000", "1000", 1, 1.0),
    ("a-b", "ab", 1, 1.0),
    ("x x y", "x y y", 0, 2 / 3),
]


@pytest.mark.parametrize(("prediction", "answer", "exact", "shared"), SQUAD)
def test_squad(prediction: str, answer: str, exact: int, shared: float) -> None:
    assert score("normalized_match", prediction, answer) == exact
    assert score("token_f1", prediction, answer) == pytest.approx(shared, abs=1e-12)


# rouge_score 0.1.2: RougeScorer(["rougeL"], use_stemmer=False).
ROUGE = [
    (
        "the quick brown dog jumps on the log",
        "the quick brown fox jumps over the lazy dog",
        10 / 17,
    ),
    ("police killed the gunman", "police kill the gunman", 0.75),
    ("the gunman kill police", "police killed the gunman", 0.5),
    ("A, b. C!", "a b c", 1.0),
    ("testing one two", "testing", 0.5),
    ("x-ray of the hand", "x ray the hand", 8 / 9),
    ("yes", "no", 0.0),
    ("total: 12.50 EUR", "Total 12.50 eur paid", 8 / 9),
    ("a_b c", "a b c", 1.0),
    ("one two three four five", "five four three two one", 0.2),
]


@pytest.mark.parametrize(("prediction", "answer", "expected"), ROUGE)
def test_rouge(prediction: str, answer: str, expected: float) -> None:
    assert score("rouge_l", prediction, answer) == pytest.approx(expected, abs=1e-12)


def test_letters_of_every_script_are_words_for_rouge() -> None:
    assert score("rouge_l", "η μεγάλη πόλη", "η πόλη") == pytest.approx(0.8)  # rouge_score: 0


@pytest.mark.parametrize(("said", "right"), [("हि", "हु"), ("กี", "กา"), ("x̄ y", "x y")])
def test_a_sign_on_a_letter_makes_another_word(said: str, right: str) -> None:
    assert score("rouge_l", said, right) == pytest.approx(0.5 if " " in right else 0.0)
    assert score("contains", said, right.split()[0]) == 0.0
    assert score("rouge_l", said, said) == score("contains", f"({said})", said) == 1.0
    assert score("rouge_l", "a ❤️ b", "a b") == 1.0  # a sign on no letter is no word


# jiwer 4.0.0: cer(answer, prediction) and wer(answer, prediction).
JIWER = [
    ("hello wrld", "hello world", 1 / 11, 0.5),
    ("duck", "world", 1.0, 1.0),
    ("the cat sat on mat", "the cat sat on the mat", 2 / 11, 1 / 6),
    ("total 12.50", "Total 12,50", 2 / 11, 1.0),
    ("a b c d", "a b", 4 / 3, 1.0),
    ("invoice no 1234", "invoice no 1243", 2 / 15, 1 / 3),
    ("abc", "abc", 0.0, 0.0),
    ("foo bar", "bar foo", 6 / 7, 1.0),
    ("x" * 30, "ab", 15.0, 1.0),
]


@pytest.mark.parametrize(("prediction", "answer", "cer", "wer"), JIWER)
def test_error_rates(prediction: str, answer: str, cer: float, wer: float) -> None:
    for metric, rate in (("cer", cer), ("wer", wer)):
        assert score(metric, prediction, answer) == pytest.approx(max(0.0, 1 - rate), abs=1e-12)
        over_all = choose(metric, {}).details([(prediction, [answer])])
        assert over_all[metric] == pytest.approx(rate, abs=1e-12)


def test_what_is_read_where_nothing_stands_is_wrong() -> None:
    assert choose("cer", {}).details([("xyz", [""])])["cer"] == 3.0
    assert choose("wer", {}).details([("x y z", [""]), ("ab", ["ab"])])["wer"] == 3.0
    assert choose("cer", {}).details([("", [""])])["cer"] == 0.0


def test_the_rate_over_all_rows_weighs_long_answers_more() -> None:
    rows = [("aaaaaaaa", ["aaaaaaaa"]), ("b", ["xy", "a"]), (None, ["c"])]
    assert choose("cer", {}).details(rows)["cer"] == pytest.approx(2 / 10)


# Antol et al., ICCV 2015: by how many of the other annotators agree.
@pytest.mark.parametrize(
    ("agree", "expected"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (10, 1)]
)
def test_vqa(agree: int, expected: float) -> None:
    answers = ["two"] * agree + [f"other {i}" for i in range(10 - agree)]
    assert score("vqa_accuracy", "2", *answers) == expected


@pytest.mark.parametrize(
    ("prediction", "answer"),
    [
        ("The dog.", "dog"),
        ("Dont know", "don't know"),
        ("10,000", "10000"),
        ("1.5", "1.5"),
        ("red/blue", "red blue"),
        ("none", "0"),
        ("yes, it is", "yes it is"),
    ],
)
def test_vqa_processing(prediction: str, answer: str) -> None:
    assert score("vqa_accuracy", prediction, *[answer] * 10) == 1.0


def test_vqa_needs_ten_annotators() -> None:
    with pytest.raises(ValueError, match="has 1 answers; vqa_accuracy needs those of 10"):
        score("vqa_accuracy", "yes", "yes")
    with pytest.raises(ValueError, match="a response that is not among them is one more"):
        score("vqa_accuracy", "yes", *["yes"] * 11)


# scikit-learn 1.7: f1_score(average="macro", labels=[...], zero_division=0) and
# precision_recall_fscore_support.
def test_classification() -> None:
    right = ["cat", "cat", "dog", "dog", "dog", "bird", "bird", "cow"]
    said = ["cat", "Dog", "dog", "dog", "cat", "bird", "plane", "cat"]
    found = choose("classification", {}).details(
        [(one, [other]) for one, other in zip(said, right, strict=True)]
    )
    assert found["macro_f1"] == pytest.approx(0.43333333333333335)
    figures = {name: (f["precision"], f["recall"], f["f1"]) for name, f in found["labels"].items()}
    assert figures == {
        "bird": pytest.approx((1.0, 0.5, 2 / 3)),
        "cat": pytest.approx((1 / 3, 0.5, 0.4)),
        "cow": (0.0, 0.0, 0.0),
        "dog": pytest.approx((2 / 3, 2 / 3, 2 / 3)),
    }
    assert found["confusion"]["bird"] == {"bird": 1, "(other)": 1}
    assert found["confusion"]["cow"] == {"cat": 1}


def test_any_of_several_labels_is_right_in_the_table_too() -> None:
    found = choose("classification", {}).details([("lorry", ["truck", "lorry"]), ("car", ["car"])])
    assert found["confusion"] == {"car": {"car": 1}, "lorry": {"lorry": 1}}
    assert found["macro_f1"] == 1.0
