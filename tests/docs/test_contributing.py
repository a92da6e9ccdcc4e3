"""The worked examples of CONTRIBUTING.md are the code that they say they are."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import kolm_cli
from tests.bundle import factory
from tests.docs.pages import ROOT, Block, blocks

PACKAGE = Path(kolm_cli.__file__).parent
EXAMPLES = [b for b in blocks(ROOT / "CONTRIBUTING.md") if b.language == "python"]


def statements(source: str) -> list[str]:
    """What a module does, without its docstring and future imports."""
    kept = []
    for node in ast.parse(source).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not docstring and not future:
            kept.append(ast.unparse(node))
    return kept


@pytest.mark.parametrize(
    ("example", "module"),
    list(
        zip(
            EXAMPLES[:4],
            [
                "scoring/metrics/exact_match.py",
                "families/mistral3.py",
                "bundle/checks/cid.py",
                "export/formats/merged.py",
            ],
            strict=True,
        )
    ),
)
def test_an_example_is_the_module_that_it_names(example: Block, module: str) -> None:
    assert statements(example.text) == statements((PACKAGE / module).read_text(encoding="utf-8"))


def test_the_example_of_a_command_is_one(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(compile(EXAMPLES[4].text, str(EXAMPLES[4]), "exec"), names)  # noqa: S102
    app = typer.Typer()
    app.callback()(lambda: None)
    names["register"](app)
    built = factory.make_bundle(tmp_path / "x.kolm")
    done = CliRunner().invoke(app, ["cid", str(built.path)])
    assert (done.exit_code, done.stdout.strip()) == (0, built.cid), done.output
