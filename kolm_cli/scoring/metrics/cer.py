"""Character error rate, for text that was read: OCR.

Source: the measure of Levenshtein, 1966, as OCR uses it; the values are those of `jiwer` 4.0.0
(`cer`). Edits between prediction and answer, by character, divided by the length of the answer.
A row's score is 1 - CER, at least 0, so that more is better as for every metric; `kolm eval` shows
the rate over all rows too. Case and punctuation count; more than one space does not.
"""

from __future__ import annotations

from kolm_cli.scoring.metrics.base import Metric, comparable
from kolm_cli.scoring.metrics.error_rate import accuracy, over_all

METRIC = Metric(
    name="cer",
    summary="OCR: 1 - character error rate, at least 0; case counts",
    source="Levenshtein 1966; jiwer 4.0.0 (cer)",
    score=accuracy(comparable),
    details=over_all(comparable, "cer"),
)
