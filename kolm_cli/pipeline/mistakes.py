"""The answers that went wrong, as people look at them: the worst first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from kolm_cli.records.row import Row
from kolm_cli.scoring.interval import PLACES
from kolm_cli.scoring.score import Predictions, RowsScored

LONGEST = 2000


def mistakes(
    pack: Sequence[Row],
    rows: RowsScored,
    predictions: Predictions,
    *,
    base: Predictions | None = None,
    cut: Collection[str] = (),
    most: int,
) -> list[dict[str, Any]]:
    """Rows that do not score 1, the lowest first; of equal ones those that the base got right.

    Args:
        pack: the rows that were asked.
        rows: their scores.
        predictions: row id to the answer, None where there is none.
        base: the base's answers, when they are known.
        cut: ids of the rows whose answer ended at the limit of tokens.
        most: how many at most.
    """
    ended = set(cut)
    lost = rows.base or [0.0] * len(pack)
    places = [i for i, score in enumerate(rows.scores) if score < 1]
    places.sort(key=lambda i: (rows.scores[i], -lost[i], -pack[i].judging.weight, i))
    return [
        {
            "id": pack[i].id,
            "asked": asked(pack[i])[:LONGEST],
            "accepted": [answer[:LONGEST] for answer in dict.fromkeys(pack[i].accepted)],
            "answer": _short(predictions.get(pack[i].id)),
            "base_answer": None if base is None else _short(base.get(pack[i].id)),
            "score": round(rows.scores[i], PLACES),
            "base_score": None if rows.base is None else round(rows.base[i], PLACES),
            "group": pack[i].judging.group,
            "cut": pack[i].id in ended,
        }
        for i in places[:most]
    ]


def asked(row: Row) -> str:
    """The last question of a row."""
    questions = [message.text for message in row.conversation.messages if message.role == "user"]
    return questions[-1] if questions else ""


def _short(text: str | None) -> str | None:
    return text if text is None else text[:LONGEST]
