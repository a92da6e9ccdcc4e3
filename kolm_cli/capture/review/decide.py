"""What a reviewer decides of a pair, written to the store with who and when."""

from __future__ import annotations

from kolm_cli.capture.pair_writes import now, transaction
from kolm_cli.capture.pairs import REVIEW_STATES, StoredPair
from kolm_cli.capture.store import Store
from kolm_cli.core import canonical_json, digests
from kolm_cli.core.errors import InputError, Problem, raise_if_any
from kolm_cli.records.conversation import Conversation, Message, ReviewState, Text, faults


def decide(
    store: Store,
    number: int,
    digest: str,
    state: ReviewState,
    reviewer: str,
    response: str | None = None,
) -> StoredPair:
    """Set a pair's review state, and its response when it was corrected.

    A corrected pair has another digest; the one that it had first is kept with it.

    Args:
        store: the store.
        number: the pair's number.
        digest: what the reviewer saw; a pair that was changed meanwhile is not touched.
        state: the new state; `pending` takes a decision back.
        reviewer: who decided.
        response: the corrected response.

    Raises:
        InputError: no such pair, changed meanwhile, an empty response, or another pair of the
            namespace says the same already.
    """
    with transaction(store.connection):
        pair = store.pair(number)
        where = f"pair {number}"
        if pair.digest != digest:
            raise InputError(Problem("was changed by somebody else meanwhile", where, "reload"))
        changed = pair.conversation
        if response is not None and response != changed.response:
            if any(type(part) is not Text for part in changed.messages[-1].parts):
                raise InputError(
                    Problem("its response holds boxes, which a correction would lose", where)
                )
            *asked, _ = pair.conversation.messages
            changed = Conversation((*asked, Message("assistant", (Text(response),))))
            raise_if_any(faults(changed, where))
        text = canonical_json.dumps(changed.as_json())
        new = digests.sha256_bytes(text)
        if new != digest:
            twin = store.connection.execute(
                "SELECT id FROM pairs WHERE digest = ? AND namespace = "
                "(SELECT namespace FROM pairs WHERE id = ?)",
                (bytes.fromhex(new), number),
            ).fetchone()
            if twin is not None:
                raise InputError(
                    Problem(f"pair {twin[0]} says exactly this already", where, "reject this one")
                )
        undone = state == "pending"
        store.connection.execute(
            "UPDATE pairs SET review = ?, reviewer = ?, reviewed = ?, conversation = ?, "
            "digest = ?, corrected_from = CASE WHEN corrected_from = ? THEN NULL "
            "WHEN ? THEN coalesce(corrected_from, digest) ELSE corrected_from END WHERE id = ?",
            (
                REVIEW_STATES.index(state),
                "" if undone else reviewer,
                None if undone else now(),
                text.decode(),
                bytes.fromhex(new),
                # Taken back to what it was at first, it is not corrected.
                bytes.fromhex(new),
                new != digest,
                number,
            ),
        )
    return store.pair(number)
