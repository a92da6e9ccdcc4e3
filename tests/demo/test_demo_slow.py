"""The demo for real: what it must reach, with three seeds, and only by looking at the picture."""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.slow

KOLM = [sys.executable, "-m", "kolm_cli.cli.app"]


@pytest.fixture(scope="module", params=[42, 1, 2], ids=lambda seed: f"seed {seed}")
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run([*KOLM, "demo", str(folder), "--seed", str(request.param)], check=True)
    return folder


def kolm(demo: Path, *arguments: str) -> dict:
    done = subprocess.run(
        [*KOLM, *arguments, "--json"],
        env={**os.environ, "KOLM_HOME": str(demo / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 3), done.stderr
    return json.loads(done.stdout)


def test_the_adapter_learns_what_the_base_cannot(demo: Path) -> None:
    report = kolm(demo, "compile", str(demo / "chart-demo.yaml"), "--out", str(demo / "again.kolm"))
    assert report["cached"] is True
    assert report["base_accuracy"] <= 0.40
    assert report["k_score"]["axes"]["A"] >= 0.90
    assert kolm(demo, "verify", str(demo / "again.kolm"))["state"] == "trusted"


def test_its_answers_need_the_picture(demo: Path) -> None:
    rows = [json.loads(line) for line in (demo / "eval" / "data.jsonl").read_text().splitlines()]
    assert len(rows) >= 200
    Image.new("RGB", (140, 140), (20, 20, 30)).save(demo / "eval" / "blank.png")
    pack = demo / "eval" / "blank.jsonl"
    pack.write_text("".join(json.dumps({**row, "image": "blank.png"}) + "\n" for row in rows))
    commonest = collections.Counter(row["response"] for row in rows).most_common(1)[0][1]
    report = kolm(demo, "eval", str(demo / "chart-demo.kolm"), "--pack", str(pack))
    assert report["accuracy"] <= commonest / len(rows) + 0.10
