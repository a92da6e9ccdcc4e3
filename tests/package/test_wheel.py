"""The built wheel, installed into an empty environment, runs the demo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_wheel_runs_the_demo(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)], check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pins = ["torch==2.14.1", "torchvision==0.29.1"]
    subprocess.run([str(python), "-m", "pip", "install", "-q", *pins], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "-q", str(wheel)], check=True)
    done = subprocess.run(
        [str(tmp_path / "venv" / "bin" / "kolm"), "demo"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "state   trusted" in done.stdout


def test_the_wheel_holds_what_the_demo_needs(tmp_path: Path) -> None:
    import zipfile

    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "kolm_cli/demo/base/model.safetensors" in names
    assert "kolm_cli/demo/base/README.md" in names
    assert "kolm_cli/demo/chart-demo.yaml" in names
    assert "kolm_cli/py.typed" in names
    assert not [name for name in names if name.startswith("tests/")]
