"""The work of scoring a bundle is bounded by its size."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from kolm_cli.bundle.format.comparing import too_much
from kolm_cli.bundle.format.pack import PackRow
from kolm_cli.core import canonical_json
from kolm_cli.scoring.metrics.anls import METRIC
from kolm_cli.scoring.metrics.base import comparable
from tests.bundle import factory
from tests.bundle.checks.helpers import part, signed
from tests.bundle.forge import assert_refused

PACK, SAID, BASE = "eval/pack.jsonl", "eval/predictions.jsonl", "eval/base_predictions.jsonl"


def rows(path: str, edit: Any) -> bytes:
    lines = [json.loads(line) for line in part(path).splitlines()]
    for line in lines:
        edit(line)
    return factory.jsonl(lines)


def bundle(metric: str, answers: list[str], said: str, tmp_path: Path) -> Any:
    settings = json.loads(part("eval/evaluation.json")) | {"metric": metric}
    return signed(
        tmp_path,
        {
            "eval/evaluation.json": canonical_json.dumps(settings),
            PACK: rows(PACK, lambda line: line.update(answers=answers)),
            **{p: rows(p, lambda line: line.update(prediction=said)) for p in (SAID, BASE)},
        },
    )


@pytest.mark.parametrize(
    ("answers", "said", "words"),
    [
        (["b" * 65_000], "a" * 65_000, "pairs of characters to compare"),
        (["b"] * 5_000, "a" * 65_000, "characters to read"),
    ],
    ids=["long texts", "many answers"],
)
@pytest.mark.parametrize("metric", ["anls", "exact_match", "relaxed_accuracy"])
def test_answers_that_take_too_long_to_compare(
    metric: str, answers: list[str], said: str, words: str, tmp_path: Path
) -> None:
    path, signer = bundle(metric, answers, said, tmp_path)
    started = time.process_time()
    assert_refused(path, signer, "k-score", words)
    assert time.process_time() - started < 10


def test_what_is_usual_is_far_from_it() -> None:
    for length, answers, count in ((20, 10, 5), (2_000, 3, 3_000), (12_000, 1, 12_000)):
        pack = [PackRow(str(i), [], ["x" * count] * answers) for i in range(20)]
        said = {row.id: "y" * length for row in pack}
        stored = 20 * (2 * length + answers * count)
        assert too_much(pack, [said, said], stored) == ""


@given(st.text("abAB é", max_size=30), st.text("abAB é", max_size=30))
def test_anls_is_what_it_was(one: str, other: str) -> None:
    a, b = comparable(one).lower(), comparable(other).lower()
    longest = max(len(a), len(b))
    similarity = 1.0 - Levenshtein.distance(a, b) / longest if longest else 1.0
    assert METRIC.score(one, [other]) == (similarity if similarity >= 0.5 else 0.0)


def test_anls_of_long_texts_is_what_it_was() -> None:
    draw = random.Random(1)  # noqa: S311
    for changed in (0, 100, 499, 500, 501, 700, 1_000):
        text = "".join(draw.choices("abcdefgh", k=1_000))
        places = set(draw.sample(range(1_000), changed))
        other = "".join("z" if i in places else c for i, c in enumerate(text))
        wanted = 1 - changed / 1_000
        assert METRIC.score(other, [text]) == pytest.approx(wanted if wanted >= 0.5 else 0)
