"""Splits: no image on two sides, and nothing moves when pairs arrive."""

from __future__ import annotations

import pytest

from kolm_cli.capture.split import Split
from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import InputError
from tests.capture.helpers import png, put


def test_a_split_parts_no_image_and_is_stable(store: Store) -> None:
    for i in range(200):
        put(store, f"first of {i}", i)
        put(store, f"second of {i}", i)
    parts = {
        p: list(store.pairs("ns", split=p)) for p in ("train", "eval", "train:0.5", "eval:0.5")
    }
    assert len(parts["train"]) + len(parts["eval"]) == 400
    assert 10 <= len(parts["eval"]) <= 80
    for one, other in (("train", "eval"), ("train:0.5", "eval:0.5")):
        images = [{i for p in parts[name] for i in p.conversation.images} for name in (one, other)]
        assert not images[0] & images[1]
    assert {p.digest for p in parts["train:0.5"]} <= {p.digest for p in parts["train"]}
    assert store.count("ns", split="eval") == len(parts["eval"])
    # What is on one side stays there when unrelated pairs arrive.
    put(store, "later", 250)
    later = {p.digest for p in store.pairs("ns", split="eval")}
    assert {p.digest for p in parts["eval"]} <= later


def test_images_that_a_pair_ties_together_stay_together(store: Store) -> None:
    for i in range(60):
        put(store, f"alone {i}", i)
    for i in range(0, 58, 2):
        put(store, f"tied {i}", i, i + 2)
    for share in ("0.5", "0.9"):
        train = list(store.pairs("ns", split=Split.parse(f"train:{share}")))
        held = {image for pair in train for image in pair.conversation.images}
        even = [sha256_bytes(png((i, i, i))) in held for i in range(0, 60, 2)]
        # A chain of pairs ties all even images together.
        assert all(even) or not any(even)
        rest = store.pairs("ns", split=Split.parse(f"eval:{1 - float(share):.1f}"))
        assert not held & {image for pair in rest for image in pair.conversation.images}


def test_pairs_without_images_split_by_their_question(store: Store) -> None:
    for i in range(100):
        put(store, f"question {i}", response="one")
        put(store, f"question {i}", response="two")
    train = {p.conversation.messages[0].text for p in store.pairs("ns", split="train:0.5")}
    held = {p.conversation.messages[0].text for p in store.pairs("ns", split="eval:0.5")}
    assert train
    assert held
    assert not train & held


@pytest.mark.parametrize("text", ["", "test", "train:", "train:0", "eval:1", "train:x", "eval:nan"])
def test_what_is_no_split_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a split"):
        Split.parse(text)
