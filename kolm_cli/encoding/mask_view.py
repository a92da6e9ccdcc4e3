"""Showing a person which tokens carry loss."""

from __future__ import annotations

import itertools
from typing import Any

from kolm_cli.encoding.encode import IGNORE, open_images
from kolm_cli.encoding.fitting import Side, encode_to_fit
from kolm_cli.families.base import Family
from kolm_cli.records.row import Row

OPEN, CLOSE = "⟦", "⟧"


def marked_text(family: Family, processor: Any, row: Row, *, budget: int, side: Side) -> str:
    """The row's tokens as text, supervised ones between ⟦ and ⟧, image tokens counted.

    Raises:
        RowError: the row cannot be used.
    """
    encoded = encode_to_fit(
        family, processor, row.conversation, open_images(row), budget=budget, side=side
    )
    image_ids = family.image_token_ids(processor)
    labels = encoded.labels
    ids = encoded.sequence["input_ids"].tolist()
    wanted = [False] * len(ids) if labels is None else (labels != IGNORE).tolist()
    tokenizer = family.tokenizer(processor)
    pieces = []
    kinds = [(want, token in image_ids) for want, token in zip(wanted, ids, strict=True)]
    for (want, image), run in itertools.groupby(range(len(ids)), key=kinds.__getitem__):
        tokens = [ids[i] for i in run]
        if image:
            pieces.append(f"<{len(tokens)} image tokens>")
            continue
        text = tokenizer.decode(tokens, skip_special_tokens=False)
        pieces.append(f"{OPEN}{text}{CLOSE}" if want else text)
    return "".join(pieces)
