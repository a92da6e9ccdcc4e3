"""The targets of `make fuzz` take their own samples, and each is tried a little."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from kolm_cli.core.errors import KolmError
from tests.fuzz.catalog import TARGETS
from tests.fuzz.target import Target


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_few_inputs(target: Target) -> None:
    for sample in target.samples():
        with contextlib.suppress(KolmError, *target.raises):
            target.feed(sample)

    @seed(1)
    @settings(
        max_examples=25,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs(target.samples()))
    def attempt(data: bytes) -> None:
        with contextlib.suppress(*target.raises):
            target.feed(data)

    attempt()
