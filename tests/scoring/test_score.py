"""`score()`: what compile, eval and the verifier all compute with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from kolm_cli.scoring.gate import Gate
from kolm_cli.scoring.judging import PLAIN, Judging
from kolm_cli.scoring.metrics.catalog import choose
from kolm_cli.scoring.score import Measurements, ScoringSettings, score

MEASURED = Measurements(bytes_total=1 << 20, latency_us=100_000)


@dataclass(frozen=True)
class Question:
    id: str
    accepted: Sequence[str]
    judging: Judging = PLAIN


PACK = [Question("a", ["1"]), Question("b", ["2"]), Question("c", ["3"]), Question("d", ["4"])]


def settings(**options: object) -> ScoringSettings:
    return ScoringSettings(choose("exact_match", {}), **options)  # type: ignore[arg-type]


def test_a_row_without_an_answer_counts_as_wrong_and_against_coverage() -> None:
    found = score(PACK, {"a": "1", "b": "wrong", "c": None}, MEASURED, settings())
    assert list(found.row_scores) == [1.0, 0.0, 0.0, 0.0]
    assert (found.accuracy, found.coverage) == (0.25, 0.5)
    assert found.base_accuracy is None
    assert "base_accuracy" not in found.as_json()


def test_the_cost_of_an_answer_is_the_price_of_its_time() -> None:
    said = {row.id: row.accepted[0] for row in PACK}
    free = score(PACK, said, MEASURED, settings())
    assert (free.k.k, free.k.axes["C"]) == (None, None)
    # 36 dollars an hour are a tenth of a cent in a tenth of a second: one half.
    priced = score(PACK, said, MEASURED, settings(usd_per_hour=36.0))
    assert priced.k.axes["C"] == 0.5
    unmeasured = score(PACK, said, Measurements(1 << 20, None), settings(usd_per_hour=36.0))
    assert unmeasured.k.axes["C"] is None


def test_base_gate_and_report() -> None:
    said, base = {"a": "1", "b": "2", "c": "3", "d": "no"}, {"a": "1"}
    found = score(PACK, said, MEASURED, settings(gate=Gate(accuracy=0.8)), base)
    report = found.as_json()
    assert (report["accuracy"], report["base_accuracy"]) == (0.75, 0.25)
    assert report["gate"] == {
        "passed": False,
        "failed": ["accuracy 0.7500 is below the gate's 0.8"],
    }
    assert report["k_score"]["accuracy_ci95"] == list(found.interval)


@pytest.mark.parametrize(
    ("pack", "measured", "usd_per_hour"),
    [
        ([Question("a", [])], MEASURED, None),
        (PACK, Measurements(1, -1), None),
        (PACK, MEASURED, 1e306),
    ],
)
def test_what_cannot_be_scored_is_an_error(
    pack: list[Question], measured: Measurements, usd_per_hour: float | None
) -> None:
    with pytest.raises(ValueError, match="cannot"):
        score(pack, {"a": "1"}, measured, settings(usd_per_hour=usd_per_hour))
