"""The README's walk-through, run as it stands, with a tiny base and a CPU."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.jobs import KOLM, Job, write_rows

README = (Path(__file__).parents[2] / "README.md").read_text()


def commands(section: str) -> list[list[str]]:
    """The `kolm` commands of a section, in their order, up to a pipe."""
    text = README.split(f"## {section}\n", 1)[1].split("\n## ", 1)[0]
    lines = re.findall(r"^    kolm (.*)$", text, re.MULTILINE)
    return [shlex.split(line.split("|")[0]) for line in lines]


@pytest.fixture(scope="module")
def job(new_job: Callable[..., Job]) -> Job:
    """The files that the walk-through speaks of, and its spec made small."""
    job = new_job()
    folder = job.folder
    shutil.copy(folder / "images" / "0.png", folder / "chart.png")
    write_rows(folder / "pairs.jsonl", 16, first=100)
    (folder / "evals").mkdir()
    write_rows(folder / "evals" / "chart-qa.jsonl", 4, first=20_000)
    spec = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert spec is not None
    text = spec[1]
    for old, new in (
        ("Qwen/Qwen2.5-VL-3B-Instruct", "base"),
        ("device: cuda", "device: cpu\n  threads: 1"),
        ("lora_r: 16", "lora_r: 4\n  bf16: false"),
        ("gate: {accuracy: 0.80}", "max_new_tokens: 2"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    (folder / "kolm.yaml").write_text(text)
    return job


def test_the_walk_through_runs(job: Job) -> None:
    ran = []
    for arguments in commands("The main job"):
        if arguments[0] in ("tiny-base", "init"):
            continue  # shown below: the walk-through names a folder that is not empty here
        done = job.kolm(*arguments)
        assert done.code == 0, (arguments, done.err)
        ran.append(arguments[0])
    wanted = {"capture", "validate", "compile", "verify", "receipt", "eval", "run"}
    assert set(ran) == wanted


def test_the_checks_without_kolm_run(job: Job) -> None:
    import subprocess

    bundle = job.folder / "dist" / "chart-qa.kolm"
    if not bundle.exists():
        job.kolm("capture", "import", "pairs.jsonl", "--to", "chart-qa")
        assert job.kolm("compile", "kolm.yaml").code == 0
    text = README.split("## What a bundle holds", 1)[1].split("\n## ", 1)[0]
    lines = re.findall(r"^    (unzip .*)$", text, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        subprocess.run(line, shell=True, check=True, cwd=bundle.parent)  # noqa: S602  # as typed


def test_init_and_tiny_base_run(job: Job) -> None:
    assert job.kolm("init", "fresh").code == 0
    assert (job.folder / "fresh" / "kolm.yaml").is_file()
    done = job.kolm("tiny-base", "--family", "qwen2_5_vl", "tiny", "--json")
    assert done.code == 0, done.err
    assert done.json["bytes"] < 2_000_000


def test_the_python_example_runs(job: Job) -> None:
    import subprocess

    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    script = code[1].replace('model_id="tiny"', 'model_id="base"') + "print(trainer.receipt())"
    script = script.replace("lora_r=16", "lora_r=16, bf16=False")
    done = subprocess.run(
        [KOLM[0], "-c", script],
        cwd=job.folder,
        env=job.env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "evidence" in done.stdout


def test_families_are_listed(job: Job) -> None:
    listed = json.loads(job.kolm("families", "--json").out)
    names = {family["name"] for family in listed}
    assert {"qwen2_5_vl", "text"} <= names
