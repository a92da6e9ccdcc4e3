"""Showing a person which tokens carry loss."""

from __future__ import annotations

import itertools

from kolm_cli.encoding.encoded import IGNORE
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.records.row import Row

OPEN, CLOSE = "⟦", "⟧"


def marked_text(encoder: Encoder, row: Row) -> str:
    """The row's tokens as text, supervised ones between ⟦ and ⟧, image tokens counted.

    Raises:
        RowError: the row cannot be used.
    """
    encoded = encoder.training(row)
    labels = encoded.labels
    ids = encoded.sequence["input_ids"].tolist()
    wanted = [False] * len(ids) if labels is None else (labels != IGNORE).tolist()
    pieces = []
    images = encoder.image_token_ids
    kinds = [(want, token in images) for want, token in zip(wanted, ids, strict=True)]
    for (want, image), run in itertools.groupby(range(len(ids)), key=kinds.__getitem__):
        tokens = [ids[i] for i in run]
        if image:
            pieces.append(f"<{len(tokens)} image tokens>")
            continue
        text = encoder.tokenizer.decode(tokens, skip_special_tokens=False)
        pieces.append(f"{OPEN}{text}{CLOSE}" if want else text)
    return "".join(pieces)
