"""Preflight counts what is new, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.memo import Memo
from kolm_cli.dataset.picture_book import PictureBook
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.encoding.row_checks import Findings, check_rows
from kolm_cli.encoding.row_facts import RowFacts
from kolm_cli.records.row import Row
from tests.support.cases import Case, Notes


def test_of_many_rows_only_the_new_ones_are_checked(
    new_case: Callable[..., Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = new_case("qwen2_5_vl")
    encoder = case.encoder()
    rows = [
        case.row((f"Question {n}?", "A"), images=[(48 + n, 40)], name=f"row:{n}") for n in range(16)
    ]
    counted: list[str] = []
    genuine = Encoder.counted

    def noted(self: Encoder, row: Row, *args: object, **options: object) -> object:
        counted.append(row.id)
        return genuine(self, row, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Encoder, "counted", noted)

    def check(using: Encoder, some: list[Row]) -> tuple[Findings, list[str], int]:
        counted.clear()
        with Memo(tmp_path / "memo") as memo:
            book = PictureBook(memo)
            found = check_rows(using, some, progress=Notes(), book=book, memo=memo)
        return found, list(counted), book.decoded

    first, all_of_them, decoded = check(encoder, rows[:12])
    assert (len(all_of_them), decoded) == (12, 12)
    second, new, decoded = check(encoder, rows)
    assert new == [f"row:{n}" for n in range(12, 16)]
    assert decoded == 4
    assert second.rows[:12] == first.rows
    # Another place for the same content, and another limit.
    moved, new, _ = check(encoder, [replace(rows[0], id="elsewhere:1")])
    assert new == []
    assert moved.rows == [replace(first.rows[0], id="elsewhere:1")]
    shorter = replace(encoder, limits=replace(encoder.limits, max_tokens=100))
    assert len(check(shorter, rows)[1]) == 16
    shown = replace(encoder, processor=case.family.limited(encoder.processor, _limits()))
    assert len(check(shown, rows)[1]) == 16


def _limits() -> Any:
    from kolm_cli.families.image_limits import ImageLimits

    return ImageLimits(max_pixels=1568)


def test_a_row_that_is_refused_is_refused_again(
    new_case: Callable[..., Case], tmp_path: Path
) -> None:
    case = new_case("qwen2_5_vl")
    bad = case.row(("Q", "A" * 90), name="long")
    for _ in range(2):
        with Memo(tmp_path / "memo") as memo:
            found = check_rows(case.encoder(40), [bad], progress=Notes(), memo=memo)
        assert [problem.where for problem in found.problems] == ["long"]
        assert not found.rows


@pytest.mark.parametrize(
    "value", [5, "x", [], [1, 2, 3, 4, 5, 6], ["1", 0, 1, 0, [], False], [1, 0, 1, 0, [[]], False]]
)
def test_what_somebody_else_remembered_of_a_row_is_no_facts(value: Any) -> None:
    assert RowFacts.from_json("1", value) is None
