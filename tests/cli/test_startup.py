"""What a command imports: the slow libraries only where they are needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.jobs import Compiled

HEAVY = ("torch", "torchvision", "transformers", "peft", "accelerate")
CODE = """
import sys
sys.argv = ["kolm", *{arguments!r}]
from kolm_cli.cli.app import main
code = 0
try:
    main()
except SystemExit as end:
    code = end.code or 0
loaded = [name for name in {heavy!r} if name in sys.modules]
assert not loaded, loaded
assert code == {code}, code
"""


def run(arguments: list[str], *, cwd: Path, env: dict[str, str], code: int = 0) -> str:
    script = CODE.format(arguments=arguments, heavy=HEAVY, code=code)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["compile", "--help"],
        ["init", "new", "--model", "Qwen/Qwen2.5-VL-3B-Instruct"],
        ["families"],
        ["families", "--json"],
        ["capture", "ls"],
    ],
    ids=" ".join,
)
def test_quick_commands_import_nothing_slow(arguments: list[str], tmp_path: Path) -> None:
    env = {**os.environ, "KOLM_HOME": str(tmp_path / "home")}
    run(arguments, cwd=tmp_path, env=env)


def test_a_plan_of_nothing_is_refused_at_once(tmp_path: Path) -> None:
    env = {**os.environ, "KOLM_HOME": str(tmp_path / "home")}
    run(["plan", "missing.yaml", "--rows", "2"], cwd=tmp_path, env=env, code=2)


@pytest.mark.parametrize("command", ["verify", "receipt"])
def test_reading_a_bundle_imports_nothing_slow(command: str, compiled: Compiled) -> None:
    arguments = [command, str(compiled.bundle), "--json"]
    assert run(arguments, cwd=compiled.job.folder, env=compiled.job.env())


def test_help_imports_only_what_it_shows_itself_with() -> None:
    """A command line that is looked at is answered at once: 70 of its 150 ms are typer's."""
    slow = ["asyncio", "hashlib", "importlib.metadata", "PIL", "pydantic", "rich", "secrets"]
    slow += ["sqlite3", "ssl", "tempfile", "yaml"]
    code = (
        "import sys\nfrom kolm_cli.cli.app import build_app\nbuild_app()\n"
        f"print([name for name in {slow} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_names_every_command() -> None:
    env = {**os.environ, "COLUMNS": "200"}
    out = subprocess.run(
        [sys.executable, "-m", "kolm_cli.cli.app", "--help"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = "init families tiny-base capture validate compile eval run verify receipt demo"
    for name in names.split():  # a list would be longer than it is clear
        assert f" {name} " in out, name
