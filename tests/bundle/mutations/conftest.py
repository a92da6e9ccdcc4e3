"""The bundles that are mutated: one for each kind of key."""

from __future__ import annotations

import pytest

from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.verify import verify
from tests.bundle import factory
from tests.bundle.forge import files_of
from tests.bundle.mutations.good import Good


@pytest.fixture(scope="module", params=["ecdsa-p256", "ed25519"])
def good(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Good:
    folder = tmp_path_factory.mktemp("mutants")
    signer = keys.generate(request.param)
    stages = factory.STAGES if request.param == "ecdsa-p256" else factory.STAGES[1:]
    path = factory.make_bundle(folder / "good.kolm", signer, stages=stages).path
    policy = factory.trusting(signer)
    assert verify(path, policy).state == "trusted"
    return Good(path.read_bytes(), files_of(path), signer, policy, folder / "mutant.kolm")
