"""What the receipt says of the training run, against the bundle's own lists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bundle.checks.helpers import Value, claiming
from tests.bundle.forge import assert_refused


def train(edit: Callable[[Value], Any]) -> Callable[[Value], Any]:
    return lambda receipt: edit(receipt["vlm_train"]["evidence"])


EVIDENCE: dict[str, tuple[Callable[[Value], Any], str]] = {
    "a frozen part changed": (
        train(lambda e: e["frozen_digests_after"].update(vision="00" * 32)),
        "do not have the same digests",
    ),
    "no digests": (train(lambda e: e.pop("frozen_digests_before")), "do not have the same digests"),
    "a tensor without a gradient": (
        train(lambda e: e.update(tensors_with_gradient=4)),
        "tensors_with_gradient is 4, modules.json lists 5",
    ),
    "other tensors than are listed": (
        train(lambda e: e.update(tensors_trainable=6)),
        "tensors_trainable is 6",
    ),
}


@pytest.mark.parametrize("name", EVIDENCE)
def test_evidence(name: str, tmp_path: Path) -> None:
    edit, words = EVIDENCE[name]
    path, signer = claiming(tmp_path, edit)
    assert_refused(path, signer, "evidence", words)
