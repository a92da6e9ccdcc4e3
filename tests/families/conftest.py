import os

os.environ["HF_HUB_OFFLINE"] = "1"

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers.utils import logging

from tests.families.helpers import CASES, Case, build, case_id, params


@pytest.fixture(scope="session", autouse=True)
def _quiet_single_thread() -> None:
    torch.set_num_threads(1)
    logging.disable_progress_bar()


@pytest.fixture(scope="session")
def new_case(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Case]:
    """Each tiny base, built when it is first asked for."""
    folder: Path = tmp_path_factory.mktemp("bases")
    built: dict[tuple[str, str], Case] = {}

    def get(name: str, variant: str = "") -> Case:
        key = (name, variant or next(v for n, v in CASES if n == name))
        if key not in built:
            built[key] = build(*key, folder / f"tiny-{case_id(key)}")
        return built[key]

    return get


@pytest.fixture(scope="session", params=params())
def case(request: pytest.FixtureRequest, new_case: Callable[[str, str], Case]) -> Case:
    """Every family that kolm trains, in every kind that differs."""
    return new_case(*request.param)


@pytest.fixture(scope="session", params=params("images"))
def pictured(request: pytest.FixtureRequest, new_case: Callable[[str, str], Case]) -> Case:
    """Every one of them with a vision tower."""
    return new_case(*request.param)
