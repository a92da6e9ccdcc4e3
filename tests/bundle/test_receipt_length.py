"""`kolm receipt` fits on a screen, however many pairs were captured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kolm_cli.bundle.build import Stage
from kolm_cli.core import digests
from tests.bundle import factory
from tests.bundle.command import kolm
from tests.bundle.forge import good

PAIRS = 427


@pytest.fixture
def captured(tmp_path: Path) -> Path:
    """A bundle whose training rows are pairs of a capture, each with its provenance."""
    pairs = [
        {
            "sha256": factory.digest(f"pair {i}"),
            "source": "proxy",
            "review": "accepted",
            "reviewer": "ada",
        }
        for i in range(PAIRS)
    ]
    facts = {
        "namespace": "tiny-chart",
        "accepted_by": ["ada"],
        "provenance": pairs,
        "provenance_sha256": digests.sha256_json(pairs),
    }
    stages = (
        Stage("capture", facts),
        Stage("dataset", {"rows": PAIRS}),
        *factory.STAGES[2:],
    )
    files = factory.make_files(train_rows=PAIRS)
    return good(tmp_path / "a.kolm", stages=stages, files=files)[0]


def test_pairs_are_counted_and_digested(captured: Path) -> None:
    said = kolm("receipt", str(captured))
    lines = [re.split(" {2,}", line.strip(), maxsplit=1) for line in said.splitlines()]
    facts = {line[0]: line[1] for line in lines if len(line) == 2}
    assert facts["capture provenance"].startswith("427 entries, sha256:")
    assert facts["capture provenance_sha256"] in facts["capture provenance"]
    assert facts["capture accepted_by"] == "ada"
    assert len(said) < 4_000
    assert max(map(len, said.splitlines())) <= 200


def test_full_lists_each_pair_on_a_line(captured: Path) -> None:
    said = kolm("receipt", str(captured), "--full")
    assert sum("source proxy" in line for line in said.splitlines()) == PAIRS
    assert max(map(len, said.splitlines())) <= 200


@pytest.mark.parametrize("other", ["--json", "--sums"])
def test_full_with_what_is_whole_anyway_is_an_error(captured: Path, other: str) -> None:
    assert f"--full has no effect with {other}" in kolm(
        "receipt", str(captured), "--full", other, code=2
    )
