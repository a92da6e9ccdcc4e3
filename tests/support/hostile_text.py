"""Texts that could steer a terminal, and what of them would."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

ANYTHING = st.text(st.characters(codec=None), max_size=200)


HOSTILE = st.text(
    st.sampled_from("a\n\t\r\x00\x07\x08\x1b\x7f\x85\x9b\xad\u061c\u200e\u202e\u2066\u2028\ufeff")
    | st.sampled_from("\ud800\udfff\U000e0041é字\u200d\u3000"),
    max_size=60,
)


def steering(text: str, *, but: str) -> set[str]:
    """Characters that steer, hide or cannot be written."""
    return {
        c
        for c in text
        if c not in but
        and c not in "\u200c\u200d"
        and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    }
