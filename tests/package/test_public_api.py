"""What `import kolm_cli` offers, and that it costs nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import kolm_cli

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "python-api.md"


@pytest.mark.parametrize("name", kolm_cli.__all__)
def test_every_public_name_resolves(name: str) -> None:
    value = getattr(kolm_cli, name)
    assert value is getattr(kolm_cli, name)
    assert name in dir(kolm_cli)
    assert name == "__version__" or value.__doc__


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="vlm_trainr"):
        kolm_cli.vlm_trainr  # noqa: B018


def test_importing_loads_nothing_slow() -> None:
    code = (
        "import sys, kolm_cli; kolm_cli.verify; kolm_cli.KolmError;"
        "slow = {'torch', 'transformers', 'peft', 'accelerate', 'pydantic'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_page_lists_exactly_the_public_names() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(kolm_cli.__all__)
    assert len(listed) == len(set(listed))
