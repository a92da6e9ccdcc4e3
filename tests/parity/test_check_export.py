"""`kolm export --check`, with programs on PATH that stand for the servers."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Done
from tests.support.jobs import Compiled

PROGRAM = Path(__file__).with_name("fake_program.py")
Check = Callable[..., Done]


@pytest.fixture
def check(compiled: Compiled, tmp_path: Path) -> Check:
    """Export and check, with these programs installed, which answer so."""

    def run(to: str, programs: tuple[str, ...], answers: Any, *more: str) -> Done:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (tmp_path / "answers.json").write_text(json.dumps(answers))
        for old in folder.iterdir():
            old.unlink()
        for name in programs:
            started = f"{sys.executable} {PROGRAM} {tmp_path / 'answers.json'} {tmp_path / 'log'}"
            (folder / name).write_text(f'#!/bin/sh\nexec {started} {name} "$@"\n')
            (folder / name).chmod(0o755)
        out = tmp_path / f"out-{to}"
        arguments = ("export", compiled.bundle, out, "--to", to, "--force", "--check", *more)
        return compiled.job.kolm(*arguments, "--json", PATH=f"{folder}:/usr/bin:/bin")

    return run


def started(tmp_path: Path) -> list[str]:
    command: list[str] = json.loads((tmp_path / "log").read_text())
    return command


@pytest.mark.slow
def test_the_first_server_that_is_installed_is_started_and_ended(
    check: Check, answers: dict[str, str | None], compiled: Compiled, tmp_path: Path
) -> None:
    done = check("merged", ("vllm", "transformers"), answers)
    assert done.code == 0, done.err
    parity = done.json["parity"]
    assert (parity["passed"], parity["agreement"], parity["server"]["name"]) == (True, 1.0, "vLLM")
    assert parity["export"] == {"to": "merged", "sha256": done.json["digest"]}
    command = started(tmp_path)
    assert command[:2] == ["vllm", "serve"]
    assert command[command.index("--served-model-name") + 1] == compiled.report["cid"]
    assert command[command.index("--dtype") + 1] == "float32"
    assert "--enforce-eager" in command
    port = command[command.index("--port") + 1]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(port))) != 0
    other = check("merged", ("vllm", "transformers"), answers, "--check-with", "transformers")
    assert other.code == 0, other.err
    server = other.json["parity"]["server"]
    assert (server["name"], server["version"]) == ("transformers serve", "5.24.0")
    assert started(tmp_path)[:2] == ["transformers", "serve"]


def test_a_server_that_answers_otherwise_ends_with_3_and_leaves_the_export(
    check: Check, answers: dict[str, str | None], tmp_path: Path
) -> None:
    odd = {image: "other" for image in answers}
    done = check("merged", ("transformers",), odd)
    assert done.code == 3
    assert done.json["parity"]["equal"] == 0
    assert (tmp_path / "out-merged" / "kolm-export.json").is_file()


def test_what_is_said_before_anything_is_written(check: Check, tmp_path: Path) -> None:
    missing = check("vllm", (), {})
    assert missing.code == 5
    assert "vllm is not on PATH" in missing.err
    never = check("peft", ("vllm", "transformers"), {})
    assert never.code == 2
    assert "kolm starts no server on --to peft" in never.err
    assert "--to merged or vllm" in never.err
    wrong = check("merged", ("vllm",), {}, "--check-with", "other")
    assert wrong.code == 2
    assert "write one of vllm, transformers" in wrong.err
    assert not list(tmp_path.glob("out-*"))


def test_a_server_that_does_not_start(check: Check) -> None:
    done = check("merged", ("transformers",), None)
    assert done.code == 5
    assert "transformers serve ended with 1" in done.err
    assert "out of memory" in done.err
