"""Decisions: who made them, when, and on what was seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolm_cli.capture.review.decide import decide
from kolm_cli.capture.store import Store
from kolm_cli.core.errors import InputError
from kolm_cli.records.conversation import Conversation
from tests.capture.review.helpers import fill


def test_decisions_are_stored_with_who_and_when_and_what_it_was(home: Path) -> None:
    first, second, third = fill(3)
    with Store.open() as store:
        before = store.namespace_digest("ns", accepted_only=True)
        pair = decide(store, 1, first, "accepted", "ada")
        assert (pair.review, pair.reviewer) == ("accepted", "ada")
        assert pair.reviewed
        pair = decide(store, 2, second, "accepted", "ada", "better")
        assert pair.conversation.response == "better"
        assert pair.digest != second
        assert pair.corrected_from == second
        again = decide(store, 2, pair.digest, "accepted", "bob", "best")
        assert again.corrected_from == second
        decide(store, 3, third, "rejected", "ada")
        assert [p.id for p in store.pairs("ns", accepted_only=True)] == sorted(
            (1, 2), key=lambda i: store.pair(i).digest
        )
        assert store.count("ns") == 2
        assert store.namespace_digest("ns", accepted_only=True) != before
        undone = decide(store, 3, third, "pending", "ada")
        assert (undone.review, undone.reviewer, undone.reviewed) == ("pending", "", None)


def test_a_decision_of_what_was_not_seen_is_refused(home: Path) -> None:
    first, second = fill(2)
    with Store.open() as store:
        with pytest.raises(InputError, match="changed by somebody else"):
            decide(store, 1, second, "accepted", "ada")
        with pytest.raises(InputError, match="the response is empty"):
            decide(store, 1, first, "accepted", "ada", "  ")
        images = store.pair(1).conversation.images
        data = {images[0]: store.image_path(images[0]).read_bytes()}
        twin = Conversation.of("<b>question</b> 0", "twin", images)
        store.add("ns", twin, data, source="test")
        with pytest.raises(InputError, match="pair 3 says exactly this already"):
            decide(store, 1, first, "accepted", "ada", "twin")
        assert {pair.review for pair in store.pairs("ns")} == {"pending"}
        with pytest.raises(InputError, match="no such pair"):
            decide(store, 99, first, "accepted", "ada")
