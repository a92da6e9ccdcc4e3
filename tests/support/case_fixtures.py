"""Fixtures of tests that run over the families: each tiny base, loaded once by a worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.kinds import CASES, params

if TYPE_CHECKING:
    from tests.support.cases import Case


@pytest.fixture(scope="session")
def new_case(tiny_base: Callable[[str, str], Path]) -> Callable[..., Case]:
    """Each case, made when it is first asked for; the first variant unless told."""
    import torch
    from transformers.utils import logging

    from kolm_cli.families.resolve import resolve_base
    from tests.support.cases import Case

    torch.set_num_threads(1)
    logging.disable_progress_bar()
    made: dict[tuple[str, str], Case] = {}

    def get(name: str, variant: str = "") -> Case:
        key = (name, variant or next(v for n, v in CASES if n == name))
        if key not in made:
            folder = tiny_base(*key)
            made[key] = Case(folder, resolve_base(str(folder)))
        return made[key]

    return get


@pytest.fixture(scope="session", params=params())
def case(request: pytest.FixtureRequest, new_case: Callable[..., Case]) -> Case:
    """Every family that kolm trains, in every kind that differs."""
    return new_case(*request.param)


@pytest.fixture(scope="session", params=params("images"))
def pictured(request: pytest.FixtureRequest, new_case: Callable[..., Case]) -> Case:
    """Every one of them with a vision tower."""
    return new_case(*request.param)
