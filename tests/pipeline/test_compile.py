"""`kolm compile`: what it writes, that it is the same every time, and what it finds again."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.jobs import Compiled, Job


def test_report_has_the_promised_shape(compiled: Compiled) -> None:
    report = compiled.report
    assert set(report) == {
        "cid", "bundle", "cached", "k_score", "base_accuracy", "accuracy", "gate", "receipt",
        "compared", "rulings", "latency", "cut_answers", "mistakes", "base_ci95", "doubts", "plan",
    }  # fmt: skip
    assert report["accuracy"] == report["k_score"]["axes"]["A"]
    assert report["cached"] is False
    rates, steps = report["doubts"]
    assert rates.startswith("train.projector_learning_rate 2e-05 is far below")
    assert steps.startswith("8 optimizer steps are few")
    assert report["cid"].startswith("bafkrei")
    assert set(report["k_score"]) == {"spec", "k", "axes", "accuracy_ci95"}
    assert set(report["k_score"]["axes"]) == {"A", "S", "L", "C", "V"}
    assert report["gate"] == {"passed": True, "failed": []}
    assert compiled.bundle.name == "tiny.kolm"
    # How long a step took; memory is not measured on a CPU, for which nothing is planned.
    step, memory = report["plan"]["seconds_a_step"], report["plan"]["bytes"]
    assert step["measured"] > 0
    assert step["planned"] is None
    assert memory["why"] == "not measured on a CPU"
    shown = compiled.job.kolm("receipt", str(compiled.bundle)).out
    assert re.search(r"a step +\d\.\d{3} s measured \(.*steps\)", shown)
    assert re.search(r"memory, at most +not measured on a CPU", shown)


def test_same_inputs_are_found_without_torch(compiled: Compiled) -> None:
    code = (
        "import sys; sys.argv = ['kolm', 'compile', 'spec.yaml', '--json']\n"
        "from kolm_cli.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'transformers', 'peft', 'accelerate'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=compiled.job.folder,
        env=compiled.job.env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert again["cached"] is True
    assert again["cid"] == compiled.report["cid"]


def files_under_cid(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as archive:
        names = [name for name in archive.namelist() if not name.startswith("attestations/")]
        return {name: archive.read(name) for name in names}


def test_a_forced_compile_gives_the_same_cid_and_files(own_compiled: Compiled) -> None:
    """Trained anew: in another folder and home, and in a process with another hash seed."""
    before = files_under_cid(own_compiled.bundle)
    own_compiled.bundle.unlink()
    job = own_compiled.job
    again = job.kolm_process("compile", "spec.yaml", "--json", "--force", PYTHONHASHSEED="77")
    assert again.code == 0, again.err
    assert not again.json["cached"]
    assert again.json["cid"] == own_compiled.report["cid"]
    assert files_under_cid(Path(again.json["bundle"])) == before


def test_no_path_user_or_host_stands_under_the_cid(compiled: Compiled) -> None:
    import getpass
    import socket

    with zipfile.ZipFile(compiled.bundle) as archive:
        for name in archive.namelist():
            if name.startswith("attestations/"):
                continue
            data = archive.read(name)
            secrets = [str(compiled.job.folder), str(Path.home()), "/tmp/"]
            if not name.endswith(".safetensors"):
                # Two letters of a short host name turn up in random weights by chance.
                secrets += [f'"{socket.gethostname()}"', f'"{getpass.getuser()}"']
            for secret in secrets:
                assert secret.encode() not in data, (name, secret)
    assert b"hue" not in compiled.bundle.read_bytes(), "a prompt stands in the bundle"


def times(report: dict[str, Any]) -> dict[str, str]:
    """When the training's compile began, and when the bundle was written."""
    found: dict[str, str] = report["receipt"]["predicate"]["runDetails"]["metadata"]
    return found


def test_a_changed_gate_or_price_exits_as_it_must_and_retrains_nothing(
    own_compiled: Compiled,
) -> None:
    job, first = own_compiled.job, own_compiled.report
    served = job.folder / "dist" / "tiny.kolm"
    passed = served.read_bytes()
    log = next((job.home / "runs").glob("*/worker.log"))
    trained = log.stat().st_mtime_ns
    job.write_spec(evaluate={"gate": {"accuracy": 0.99}})
    missed = job.kolm("compile", "spec.yaml", "--json")
    assert missed.code == 3
    assert missed.json["gate"]["passed"] is False
    assert "accuracy" in missed.json["gate"]["failed"][0]
    assert missed.json["cached"] is False
    assert missed.json["cid"] != first["cid"], "the gate stands in the bundle"
    assert missed.json["doubts"] == first["doubts"]
    assert times(missed.json)["startedOn"] == times(first)["startedOn"], "when it was trained"
    assert times(missed.json)["finishedOn"] >= times(first)["finishedOn"]
    rejected = job.folder / "dist" / "tiny.rejected.kolm"
    assert missed.json["bundle"] == str(rejected)
    assert missed.json["unchanged"] == str(served)
    assert rejected.is_file()
    assert served.read_bytes() == passed, "what passed before stays for whoever serves it"
    rejected.unlink()
    assert log.stat().st_mtime_ns == trained, "changing a gate must not train again"
    cached = job.kolm("compile", "spec.yaml", "--json")
    assert cached.code == 3
    assert cached.json["cached"] is True
    assert rejected.is_file()
    assert served.read_bytes() == passed
    job.write_spec(evaluate={"usd_per_hour": None})
    unpriced = job.kolm("compile", "spec.yaml", "--json")
    assert unpriced.code == 0, unpriced.err
    assert unpriced.json["k_score"]["k"] is None, "an unmeasured axis never counts as 1"
    assert unpriced.json["k_score"]["axes"]["C"] is None
    assert log.stat().st_mtime_ns == trained


def test_the_receipt_s_globs_agree_with_the_exact_lists(compiled: Compiled) -> None:
    from fnmatch import fnmatchcase

    with zipfile.ZipFile(compiled.bundle) as archive:
        lists = json.loads(archive.read("modules.json"))
    definition = compiled.report["receipt"]["predicate"]["buildDefinition"]
    block = definition["internalParameters"]["vlm_train"]
    for kind in ("trainable", "frozen"):
        names = [entry["name"] for entry in lists[kind]]
        globs = block[f"{kind}_modules"]
        assert all(any(fnmatchcase(name, glob) for glob in globs) for name in names)
        assert all(any(fnmatchcase(name, glob) for name in names) for glob in globs)
    trainable = {entry["name"] for entry in lists["trainable"]}
    assert any(name.startswith("model.visual.merger.") for name in trainable)
    assert not any(name.startswith("model.visual.blocks.") for name in trainable)
    assert block["papers"] == ["https://arxiv.org/abs/2502.13923"]


def test_changed_training_rows_are_noticed(compiled: Compiled, new_job: Callable[..., Job]) -> None:
    from kolm_cli.pipeline.inputs import gather

    job = new_job()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KOLM_HOME", str(job.home))
        before = gather(job.spec)
        rows = (job.folder / "train.jsonl").read_text().replace('"red"', '"ruby"')
        (job.folder / "train.jsonl").write_text(rows)
        after = gather(job.spec)
    assert before.keys.training != after.keys.training
    assert before.keys.evaluation != after.keys.evaluation
