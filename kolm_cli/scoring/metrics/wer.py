"""Word error rate, for text that was read or heard.

Source: the values are those of `jiwer` 4.0.0 (`wer`): edits between prediction and answer, by word,
divided by the number of words of the answer. Words are what white space separates; case and
punctuation count. A row's score is 1 - WER, at least 0; `kolm eval` shows the rate over all rows.
"""

from __future__ import annotations

from kolm_cli.scoring.metrics.base import Metric, comparable
from kolm_cli.scoring.metrics.error_rate import accuracy, over_all


def _words(text: str) -> list[str]:
    return comparable(text).split()


METRIC = Metric(
    name="wer",
    summary="OCR: 1 - word error rate, at least 0; case counts",
    source="jiwer 4.0.0 (wer)",
    score=accuracy(_words),
    details=over_all(_words, "wer"),
)
