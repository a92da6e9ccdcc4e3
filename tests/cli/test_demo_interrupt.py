"""Ctrl-C in the demo reaches the command of the moment once, which ends in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path


def test_ctrl_c_is_told_once_and_exits_130(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "kolm_cli.cli.app", "demo", "d", "--progress", "plain"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "storing data.jsonl" in line:
                # As a terminal does: to every process in the foreground.
                os.killpg(process.pid, signal.SIGINT)
                break
        said += process.stderr.read()
    assert process.returncode == 130, said
    # Not at all when the command of the moment had just ended.
    assert said.count("Interrupted.") <= 1
    assert "error: the demo was interrupted" in said
    assert "kolm demo d goes on where it was" in said
    assert "Traceback" not in said
