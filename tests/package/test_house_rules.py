"""What docs/explanation/architecture.md says of the whole tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import kolm_cli
from kolm_cli.families.catalog import families

PACKAGE = Path(kolm_cli.__file__).parent
# Programs of their own: a pipe to the proxy, and the script that made the demo's base.
PROGRAMS = {"capture/proxy/recorder.py", "demo/pretrain/__main__.py"}


def modules(*without: str) -> Iterator[tuple[str, ast.Module]]:
    """Every module outside these packages, parsed."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(without):
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def test_library_code_writes_to_no_terminal() -> None:
    writing = set()
    for name, tree in modules("cli/"):
        for node in ast.walk(tree):
            prints = isinstance(node, ast.Name) and node.id == "print"
            stream = (
                isinstance(node, ast.Attribute)
                and node.attr in ("stdout", "stderr")
                and isinstance(node.value, ast.Name)
                and node.value.id == "sys"
            )
            if prints or stream:
                writing.add(name)
    assert writing <= PROGRAMS


def test_no_module_outside_families_names_a_vision_family() -> None:
    names = {family.name for family in families() if family.takes.images}
    for name, tree in modules("families/", "demo/"):
        values = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert not names & {value for value in values if isinstance(value, str)}, name


def test_what_a_command_says_is_wrong_comes_with_a_fix() -> None:
    bare = []
    for name, tree in modules():
        if not name.startswith(("cli/", "loop/", "pipeline/", "serving/", "spec/")):
            continue
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        hinted = {
            inner
            for call in calls
            if any(keyword.arg == "hint" for keyword in call.keywords)
            for inner in ast.walk(call)
        }
        bare += [
            f"{name}:{call.lineno}"
            for call in calls
            if isinstance(call.func, ast.Name)
            and call.func.id == "Problem"
            and call not in hinted
            # The words of another error are passed on as they are.
            and isinstance(call.args[0] if call.args else None, ast.Constant | ast.JoinedStr)
            and len(call.args) < 3
            and not any(keyword.arg == "fix" for keyword in call.keywords)
        ]
    assert bare == []
