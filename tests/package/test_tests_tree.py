"""The tests' own house: a tree like the code's, and no test module that lends to another."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import kolm_cli

TESTS = Path(__file__).parents[1]
PACKAGE = Path(kolm_cli.__file__).parent
# What tests more than one room, or no code of kolm's.
OTHER_ROOMS = {"docs", "fuzz", "gpu", "interop", "package", "servers", "support"}


def modules() -> list[Path]:
    return sorted(TESTS.rglob("*.py"))


def test_the_folders_are_the_rooms_of_the_code() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    folders = {path.relative_to(TESTS).parts[0] for path in modules() if path.parent != TESTS}
    assert folders - OTHER_ROOMS <= rooms


def test_no_test_module_imports_another() -> None:
    """What two modules need is a helper beside them, a fixture, or in tests/support."""
    lent = re.compile(r"\.(test_\w+|conftest)$")
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                assert not (name.startswith("tests.") and lent.search(name)), (path, name)


def test_every_test_has_the_one_home() -> None:
    """`home` in tests/conftest.py; a second one could leave out what the first keeps away."""
    again = [
        path
        for path in modules()
        if re.search(r"^def home\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert again == [TESTS / "conftest.py"]
