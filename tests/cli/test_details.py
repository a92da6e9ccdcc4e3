"""A confusion table and rates, in lines."""

from __future__ import annotations

from kolm_cli.cli.details import details_of
from kolm_cli.scoring.metrics.catalog import choose

ROWS = [("cat", ["cat"]), ("dog", ["cat"]), ("cow", ["dog"]), (None, ["dog"])]


def test_a_confusion_table() -> None:
    lines = list(details_of(choose("classification", {}).details(ROWS)))
    text = "\n".join(f"{label:<10} {text}" for label, text in lines)
    assert "macro f1" in text
    assert "cat: F1 0.6667" in text
    table = [line.split() for label, line in lines if label == "confusion" or "right" in line]
    assert table[0][:3] == ["right", "\\", "said"]
    assert any(line.split() == ["dog", "2", "0", "0"] for _, line in lines)


def test_parts_of_several_metrics() -> None:
    metric = choose("weighted", {"metrics": [{"name": "cer"}, {"name": "wer", "weight": 2}]})
    lines = dict(details_of(metric.details([("a b", ["a c"])])))
    assert lines["cer"] == "0.3333"
    assert lines["wer"] == "0.5000"
