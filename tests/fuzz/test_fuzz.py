"""The targets of `make fuzz` take their own samples, and each is tried a little."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from kolm_cli.core.errors import KolmError
from tests.fuzz import __main__ as command
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


def test_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KOLM_FUZZ_CORPUS", raising=False)
    assert command.corpus().name == "kolm-fuzz"
    monkeypatch.setenv("KOLM_FUZZ_CORPUS", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["fuzz", "--seconds", "0", "manifest", "key"])
    assert command.main() == 0
    assert capsys.readouterr().out.count("nothing found") == 2
