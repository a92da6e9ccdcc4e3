"""The digests of the data, and the files that a score is computed from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundle.checks.helpers import edited, line, part, replaced, signed, without
from tests.bundle.forge import assert_refused

DATA: dict[str, tuple[str, Callable[[bytes], bytes], str, str]] = {
    "a training row less": ("data/train.jsonl", without(2), "dataset", "is not the training data"),
    "another training row": (
        "data/train.jsonl",
        line(2, lambda v: v.update(sha256="0" * 64)),
        "dataset",
        "is not the training data",
    ),
    "another image": (
        "data/train.jsonl",
        line(2, lambda v: v["images"].append("0" * 64)),
        "dataset",
        "is not the training data",
    ),
    "training text": (
        "data/train.jsonl",
        line(2, lambda v: v.update(prompt="secret")),
        "dataset",
        "line 3: has not exactly the keys",
    ),
    "a line that is not canonical": (
        "data/train.jsonl",
        replaced(b":", b": "),
        "dataset",
        "line 1: not in canonical form",
    ),
    "duplicate key in a line": (
        "data/train.jsonl",
        replaced(b'{"id":', b'{"id":"x","id":'),
        "dataset",
        "occurs twice",
    ),
    "last line without an end": (
        "data/train.jsonl",
        lambda d: d[:-1],
        "dataset",
        "the last line has no end",
    ),
    "a very long line": (
        "data/train.jsonl",
        lambda d: b'{"id":"' + b"x" * 2_000_000 + b'"}\n' + d,
        "dataset",
        "line 1",
    ),
    "dataset of another form": (
        "data/dataset.json",
        edited(lambda v: v.update(format="x")),
        "dataset",
        "kolm-dataset/1",
    ),
    "eval rows": (
        "data/dataset.json",
        edited(lambda v: v["eval"].update(rows=9)),
        "dataset",
        "is not the evaluation data",
    ),
    "evaluation of another form": (
        "eval/evaluation.json",
        edited(lambda v: v.update(format="x")),
        "k-score",
        "kolm-eval/1",
    ),
    "another metric": (
        "eval/evaluation.json",
        edited(lambda v: v.update(metric="anls")),
        "k-score",
        "metric: the receipt says 'exact_match'",
    ),
    "unknown metric": (
        "eval/evaluation.json",
        edited(lambda v: v.update(metric="always_one")),
        "k-score",
        "there is no metric 'always_one'",
    ),
    "another price": (
        "eval/evaluation.json",
        edited(lambda v: v.update(usd_per_hour=0.01)),
        "k-score",
        "K: the receipt says",
    ),
    "no price": (
        "eval/evaluation.json",
        edited(lambda v: v.update(usd_per_hour=None)),
        "k-score",
        "the files give None",
    ),
    "a gate that was not met": (
        "eval/evaluation.json",
        edited(lambda v: v["gate"].update(accuracy=0.95)),
        "gate",
        "the gate was not met; the receipt says passed: True",
    ),
    "fewer rows than said": (
        "eval/evaluation.json",
        edited(lambda v: v.update(rows=11)),
        "coverage",
        "has 10 rows, not 11",
    ),
    "a hard row left out": (
        "eval/pack.jsonl",
        without(3),
        "coverage",
        "has 9 rows, not 10",
    ),
    "the same row twice": (
        "eval/pack.jsonl",
        line(3, lambda v: v.update(id="eval.jsonl:1")),
        "coverage",
        "not 10 different ones",
    ),
    "a row without accepted answers": (
        "eval/pack.jsonl",
        line(3, lambda v: v.update(answers=[])),
        "k-score",
        "without an accepted answer",
    ),
    "an answer that is no text": (
        "eval/pack.jsonl",
        line(3, lambda v: v.update(answers=[30])),
        "k-score",
        "are not texts",
    ),
    "a better prediction": (
        "eval/predictions.jsonl",
        line(3, lambda v: v.update(prediction="40")),
        "k-score",
        "accuracy: the receipt says 0.8",
    ),
    "a worse base": (
        "eval/base_predictions.jsonl",
        line(0, lambda v: v.update(prediction="?")),
        "k-score",
        "base accuracy: the receipt says 0.1",
    ),
    "a prediction for a row without one": (
        "eval/predictions.jsonl",
        line(7, lambda v: v.update(prediction="?")),
        "coverage",
        "the receipt says 0.9",
    ),
    "a prediction left out": ("eval/predictions.jsonl", without(7), "coverage", "pack's rows"),
    "predictions in another order": (
        "eval/predictions.jsonl",
        lambda d: b"\n".join([*reversed(d.split(b"\n")[:-1]), b""]),
        "coverage",
        "pack's order",
    ),
    "a text that would take long to score": (
        "eval/predictions.jsonl",
        line(0, lambda v: v.update(prediction="x" * 70_000)),
        "k-score",
        "more than 65536 characters",
    ),
    "a prediction that is a number": (
        "eval/predictions.jsonl",
        line(0, lambda v: v.update(prediction=10)),
        "k-score",
        "neither text nor null",
    ),
}


@pytest.mark.parametrize("name", DATA)
def test_data_and_score(name: str, tmp_path: Path) -> None:
    file, change, check, words = DATA[name]
    path, signer = signed(tmp_path, {file: change(part(file))})
    assert_refused(path, signer, check, words)
