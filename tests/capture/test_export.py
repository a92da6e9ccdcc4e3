"""`kolm capture export` of some pairs: filters, splits and review states."""

from __future__ import annotations

from pathlib import Path

from kolm_cli.capture.store import Store
from kolm_cli.records.conversation import Conversation
from tests.capture.helpers import Kolm
from tests.formats.helpers import NAMES, fill


def test_export_takes_filters_splits_and_review_states(
    kolm: Kolm, home: Path, tmp_path: Path
) -> None:
    fill("ns", [Conversation.of(f"q{i}", "a", (NAMES[i % 6],)) for i in range(60)])
    with Store.open() as store:
        store.connection.execute("UPDATE pairs SET review = 2 WHERE id <= 5")
        store.connection.execute("UPDATE pairs SET review = 1 WHERE id > 50")
        expected = store.count("ns", split="train:0.5")

    def count(name: str, *arguments: object) -> int:
        ran = kolm("capture", "export", *arguments[:1], name, *arguments[1:], "--json")
        assert ran.code == 0, ran.err
        found: int = ran.json["pairs"]
        return found

    assert count("a.jsonl", "ns") == 55
    assert count("b.jsonl", "ns", "--accepted") == 10
    assert count("c.jsonl", "ns", "--review", "rejected") == 5
    assert count("d.jsonl", "ns", "--text", "q59") == 1
    assert count("e.jsonl", "ns@train:0.5") == expected
