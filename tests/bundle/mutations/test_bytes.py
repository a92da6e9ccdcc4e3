"""Bytes changed at random thousands of times: no mutant verifies, none crashes the verifier."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bundle.mutations.byte_changes import Mutation, byte_mutations, flip
from tests.bundle.mutations.good import Good, often


def mutated_bytes(good: Good, mutations: list[Mutation]) -> bytes:
    data = good.data
    for mutation in mutations:
        data = mutation(data) or data
    return data


@often(900)
@given(mutations=st.lists(byte_mutations, min_size=1, max_size=3))
def test_bytes(good: Good, mutations: list[Mutation]) -> None:
    good.assert_refused(mutated_bytes(good, mutations))


@pytest.mark.slow
@often(15_000)
@given(mutations=st.lists(byte_mutations, min_size=1, max_size=4))
def test_bytes_thoroughly(good: Good, mutations: list[Mutation]) -> None:
    good.assert_refused(mutated_bytes(good, mutations))


@pytest.mark.slow
def test_every_bit(good: Good) -> None:
    """Not at random: each bit of the file, one after the other."""
    for place in range(len(good.data)):
        good.assert_refused(flip(place, place % 8)(good.data))
