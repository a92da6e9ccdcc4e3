"""Fixtures of the tests of specs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.spec.helpers import GOOD


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a spec, each `(old, new)` replaced in the good one, beside its evaluation file."""

    def write(*changes: tuple[str, str], text: str = GOOD) -> Path:
        for old, new in changes:
            assert text.count(old) == 1
            text = text.replace(old, new)
        (tmp_path / "evals").mkdir(exist_ok=True)
        (tmp_path / "evals/chart-qa.jsonl").write_text("{}\n")
        path = tmp_path / "spec.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
