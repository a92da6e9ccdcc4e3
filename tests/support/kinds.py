"""The kinds of tiny base: every family, in every template or tower that differs. Needs no torch."""

from __future__ import annotations

from typing import Any

import pytest

from kolm_cli.families import catalog
from kolm_cli.families.support import Supported, Unsupported
from kolm_cli.families.tiny.catalog import makers

CASES = [
    (family.name, variant)
    for family in catalog.families()
    if not isinstance(family.support, Unsupported)
    for variant in makers(family)
]


def params(*takes: str) -> list[Any]:
    """The cases that take all this; what is not promised is tried by `make test-slow`."""
    found = []
    for case in CASES:
        family = catalog.by_name(case[0])
        assert family is not None
        if all(getattr(family.takes, shape) for shape in takes):
            promised = isinstance(family.support, Supported)
            marks = [] if promised else [pytest.mark.slow]
            found.append(pytest.param(case, marks=marks, id=case_id(case)))
    return found


def that_take(*takes: str) -> pytest.MarkDecorator:
    """The test runs for the cases that take all this. test_takes.py: the others refuse it."""
    return pytest.mark.parametrize("case", params(*takes), indirect=True, scope="session")


def case_id(case: tuple[str, str]) -> str:
    return "-".join(filter(None, case))
