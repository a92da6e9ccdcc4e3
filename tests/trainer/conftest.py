"""Cases, each trained once with each set of options."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.cases import Case
from tests.trainer.trained import Trained


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trained]:
    """Trains a case once for each set of options."""
    done: dict[Any, Trained] = {}

    def run(case: Case, **options: Any) -> Trained:
        key = (id(case), tuple(sorted(options.items())))
        if key not in done:
            folder = tmp_path_factory.mktemp("trained")
            rows = case.variety()
            options.setdefault("per_device_train_batch_size", math.ceil(len(rows) / 2))
            trainer = case.trainer(rows, folder / "run", **options)
            before = {n: p.detach().clone() for n, p in case.fresh().named_parameters()}
            trainer.train()
            trainer.save(folder / "adapter")
            done[key] = Trained(case, trainer, folder / "adapter", before)
        return done[key]

    return run
