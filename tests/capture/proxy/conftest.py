"""One upstream for the tests of a module; proxies that end with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.capture.proxy.helpers import Running, Start, Upstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    running = Upstream()
    yield running.url
    running.close()


@pytest.fixture
def start(home: Path, upstream: str) -> Iterator[Start]:
    running: list[Running] = []

    def begin(*more: str, to: str = "", **options: Any) -> Running:
        running.append(Running(home, to or upstream, *more, **options))
        return running[-1]

    yield begin
    for proxy in running:
        proxy.process.kill()
        proxy.process.wait()
