"""The examples that `--help` shows: every command has two, they parse, and they run."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from kolm_cli.bundle.signing import keys
from kolm_cli.cli.app import build_app
from kolm_cli.cli.examples import EXAMPLES
from tests.bundle.factory import make_bundle
from tests.cli.command_names import leaf_commands

ALL = [(name, line) for name, lines in EXAMPLES.items() for line in lines]
# What needs torch, or somebody at the other end, or runs until it is stopped.
NOT_RUN = ("demo", "tiny-base", "validate", "compile", "loop run", "rollback", "eval", "run")
NOT_RUN += ("plan", "doctor", "export", "serve", "parity", "capture proxy", "publish")
ID = "1a2b3c4d"
runner = CliRunner()


def test_every_command_has_two_and_no_other_has_any() -> None:
    assert sorted(EXAMPLES) == sorted(leaf_commands())


@pytest.mark.parametrize(("name", "line"), ALL, ids=[line for _, line in ALL])
def test_it_is_of_its_command_and_parses(name: str, line: str) -> None:
    words = shlex.split(line)
    assert words[: 1 + len(name.split())] == ["kolm", *name.split()]
    assert len(line) <= 76
    command = get_command(build_app())
    arguments, context = words[1:], None
    while True:
        context = command.make_context(command.name, arguments, parent=context)
        rest = [*context._protected_args, *context.args]
        if not hasattr(command, "commands"):
            assert not rest
            return
        _, command, arguments = command.resolve_command(context, rest)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder and a home in which the examples find what they name."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("KOLM_HOME", str(folder / "home"))
        patch.delenv("KOLM_SIGNING_KEY", raising=False)
        for number in range(30):
            Image.new("RGB", (28, 28), (8 * number, 20, 40)).save(f"{number}.png")
        shutil.copy("0.png", "chart.png")
        rows = [{"image": f"{n}.png", "prompt": f"{n}?", "response": f"{n}"} for n in range(30)]
        Path("charts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        signer = keys.create("ecdsa-p256", passphrase="", trusted=True)
        keys.set_default(signer.key_id)
        alice = keys.create("ed25519", passphrase="", trusted=True)
        make_bundle(Path("chart-qa.kolm"), alice)
        make_bundle(Path("old.kolm"), alice)
        for arguments in (
            ["keys", "export", "--out", "mine.pem"],
            ["keys", "export", alice.key_id, "--out", "alice.pem"],
            ["capture", "import", "charts.jsonl", "--to", "chart-qa"],
            ["push", "chart-qa.kolm", "chart-qa:latest"],
            ["trust", "add", "alice.pem", "--name", "*", "--trust", "auditors.toml"],
            ["trust", "add", "mine.pem", "--name", "*", "--trust", "auditors.toml"],
        ):
            done = runner.invoke(build_app(), arguments)
            assert done.exit_code == 0, (arguments, done.output, done.exception)
        Path("id").write_text(signer.key_id[:8])
    return folder


RUN = [(n, line) for n, line in ALL if n not in (*NOT_RUN, "capture review") and "oci:" not in line]


@pytest.mark.parametrize(("name", "line"), RUN, ids=[line for _, line in RUN])
def test_it_runs(
    name: str, line: str, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KOLM_HOME", str(folder / "home"))
    monkeypatch.setenv("KOLM_KEY_PASSPHRASE", "secret words")
    monkeypatch.delenv("KOLM_SIGNING_KEY", raising=False)
    words = shlex.split(line.replace(ID, Path("id").read_text()))
    done = runner.invoke(build_app(), words[1:])
    assert done.exit_code == 0, (done.output, done.stderr, done.exception)
