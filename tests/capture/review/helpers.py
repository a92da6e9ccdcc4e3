"""Pairs to decide on."""

from __future__ import annotations

from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.records.conversation import Conversation
from tests.capture.helpers import png


def fill(count: int) -> list[str]:
    digests = []
    with Store.open() as store:
        for i in range(count):
            data = png((i * 20, 0, 0), (40, 30))
            name = sha256_bytes(data)
            pair = Conversation.of(f"<b>question</b> {i}", f"answer {i}", (name,))
            digests.append(store.add("ns", pair, {name: data}, source="test").digest)
    return digests
