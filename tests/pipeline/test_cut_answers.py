"""Answers that ended at the limit are marked in the receipt, and shown by eval and run."""

from __future__ import annotations

from kolm_cli.bundle.receipt import read_receipt
from tests.support.jobs import Compiled


def test_a_cut_answer_is_marked_and_shown(compiled: Compiled) -> None:
    """No answer of four letters ends: the base was trained on colors, at 4 tokens an answer."""
    marked = read_receipt(compiled.bundle).facts["evaluation"]["cut_answers"]
    cut = compiled.report["cut_answers"]
    assert cut
    assert marked["predictions"] == cut
    assert all(name.startswith("eval.jsonl:") for name in cut)
    lines = read_receipt(compiled.bundle).lines()
    assert any(f"{len(cut)} ended at max_new_tokens" in line for line in lines)
    again = compiled.job.kolm("eval", compiled.bundle, "--json")
    assert again.json["cut_answers"] == cut
    shown = compiled.job.kolm("eval", compiled.bundle)
    assert f"cut            {len(cut)} answers ended at 4 tokens: eval.jsonl:1" in shown.out
    assert compiled.job.kolm("verify", compiled.bundle, "--json").code == 0
