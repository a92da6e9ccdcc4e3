"""The files in `specs/ci/` do what they say, as far as can be shown without their programs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.jobs import Compiled

CI = Path(__file__).parents[2] / "specs" / "ci"


@pytest.fixture
def looping(own_compiled: Compiled, tmp_path: Path) -> Compiled:
    """The compiled job as the files have it: its result is found, so that a turn is quick."""
    folder = own_compiled.job.folder
    (folder / "spec.yaml").rename(folder / "kolm.yaml")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, line in (
        ("kolm", f'exec {sys.executable} -m kolm_cli.cli.app "$@"'),
        ("pip", "echo pip: $@"),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    path = f"{programs}:/usr/bin:/bin"
    own_compiled.job.environment.update(PATH=path, GITHUB_STEP_SUMMARY=str(tmp_path / "summary"))
    return own_compiled


def shell(looping: Compiled, text: str) -> str:
    text = text.replace("/srv/chart-qa", str(looping.job.folder)).replace("chart-qa", "tiny")
    text = text.replace("/var/lib/kolm", str(looping.job.home))
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", text],
        cwd=looping.job.folder,
        env=looping.job.env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_workflow(looping: Compiled, tmp_path: Path) -> None:
    workflow: dict[str, Any] = yaml.safe_load((CI / "github-actions.yml").read_text())
    steps = workflow["jobs"]["turn"]["steps"]
    assert [step["uses"] for step in steps if "uses" in step] == [
        "actions/checkout@v4",
        "actions/upload-artifact@v4",
    ]
    said = [shell(looping, step["run"]) for step in steps if "run" in step]
    assert '"state": "promoted"' in said[1]
    assert looping.report["cid"] in (tmp_path / "summary").read_text()
    assert (looping.job.folder / "tiny.kolm").is_file()
    # An hour later nothing is new.
    assert '"state": "nothing new"' in shell(looping, steps[2]["run"])


def test_the_line_for_cron(looping: Compiled) -> None:
    lines = (CI / "crontab").read_text().splitlines()
    (line,) = [line for line in lines if line and not line.startswith("#")]
    *when, command = line.split(None, 5)
    assert re.fullmatch(r"\d+", when[0])
    assert when[1:] == ["*"] * 4
    assert "%" not in command  # which cron takes for the end of a line
    shell(looping, command)
    assert looping.report["cid"] in (looping.job.folder / "loop.log").read_text()


def test_the_service(looping: Compiled, tmp_path: Path) -> None:
    text = (CI / "kolm-loop.service").read_text()
    settings = dict(
        line.split("=", 1) for line in text.splitlines() if "=" in line and line[0] != "#"
    )
    words = settings["ExecStart"].split()
    assert words[:3] == ["/usr/bin/env", "kolm", "loop"]
    # Its own command, but with one turn.
    once = " ".join(words).replace("--every 1h", "--once")
    assert looping.report["cid"] in shell(looping, once)
    checker = shutil.which("systemd-analyze")
    if checker:
        (tmp_path / "a.service").write_text(text.replace("User=kolm\n", ""))
        done = subprocess.run([checker, "verify", tmp_path / "a.service"], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()


def test_a_first_turn_that_would_start_from_its_own_result(looping: Compiled) -> None:
    """There is no `live` yet: the turn starts from the base, and says so."""
    job = looping.job
    job.write_spec(base={"adapter": "registry:tiny:live"})
    done = job.kolm("loop", "spec.yaml", "--once", "--json")
    assert done.code == 0, done.err
    assert "there is no tiny:live yet: this turn starts from the base" in done.err
    assert done.json["in_use"] == looping.report["cid"]
    assert job.kolm("loop", "spec.yaml", "--once", "--json").json["state"] == "nothing new"
    # Only the loop forgives this; and a stop ends the waiting in order.
    running = job.start("loop", "spec.yaml", "--every", "1h")
    assert running.stdout is not None
    assert running.stdout.readline().startswith("nothing new")
    running.terminate()
    assert running.wait(timeout=60) == 130
