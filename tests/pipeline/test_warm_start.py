"""`base.adapter`: training starts from an earlier bundle of the same base and shape, or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from kolm_cli import verify
from kolm_cli.bundle.container.unpack import unpack
from kolm_cli.bundle.trust.file import load_policy
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.adapter_trainer import Start, VLMTrainer
from tests.support.cases import Case
from tests.support.jobs import Compiled, write_rows


@pytest.fixture
def warm(own_compiled: Compiled) -> Compiled:
    """The compiled job, which goes on from its own bundle with other rows."""
    job = own_compiled.job
    write_rows(job.folder / "train.jsonl", 16, first=100)
    job.write_spec(base={"adapter": "registry:tiny:latest"}, train={"num_train_epochs": 1})
    return own_compiled


def test_a_compile_goes_on_from_an_earlier_bundle(
    warm: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, parent = warm.job, warm.report["cid"]
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    report = done.json
    facts = report["receipt"]["predicate"]["buildDefinition"]["internalParameters"]["vlm_train"]
    assert facts["parent"] == parent
    assert report["base_accuracy"] == warm.report["base_accuracy"]
    monkeypatch.setenv("KOLM_HOME", str(job.home))
    assert verify(Path(report["bundle"]), load_policy()).state == "trusted"
    # The line of descent, newest first.
    lines = json.loads(job.kolm("log", "tiny", "--json").out)
    assert [(line["cid"], line["parent"]) for line in lines] == [
        (report["cid"], parent),
        (parent, None),
    ]
    assert lines[0]["accuracy"] == report["accuracy"]
    assert json.loads(job.kolm("log", report["bundle"], "--json").out) == lines
    said = job.kolm("log", "tiny").out.splitlines()
    assert len(said) == 3
    assert said[1].split()[0] == report["cid"]
    assert "tiny:latest" in said[1]
    listed = {entry["cid"]: entry for entry in job.kolm("ls", "tiny", "--json").json}
    assert listed[report["cid"]]["parent"] == parent
    assert listed[parent]["accuracy"] == warm.report["accuracy"]


def test_the_first_step_sees_the_earlier_weights(
    warm: Compiled, new_case: Callable[..., Case], tmp_path: Path
) -> None:
    """What training begins with is what the bundle holds, bit for bit."""
    folder = warm.job.folder / "unpacked"
    policy = load_policy(warm.job.home / "trust.toml")
    unpack(warm.bundle, folder, trust=policy, allow_untrusted=False, cid=None)
    case = new_case("qwen2_5_vl")
    trainer = VLMTrainer(
        case.base,
        [case.row(("hue?", "red"))],
        TrainSection(bf16=False),
        model=case.fresh(),
        encoder=case.encoder(None),
        device="cpu",
        folder=tmp_path / "checkpoints",
        start=Start(warm.report["cid"], folder / "adapter"),
    )
    trainer.save(warm.job.folder / "again")
    for name in ("adapter_model.safetensors", "projector.safetensors"):
        before, after = (
            load_file(folder / "adapter" / name),
            load_file(warm.job.folder / "again" / name),
        )
        assert before.keys() == after.keys()
        assert all(before[key].equal(after[key]) for key in before)
    assert trainer.receipt()["parent"] == warm.report["cid"]


def test_another_shape_is_refused_with_all_that_differs(warm: Compiled) -> None:
    job = warm.job
    job.write_spec(
        base={"adapter": str(warm.bundle)},
        train={"lora_r": 8, "lora_targets": ["q_proj"], "projector": "freeze"},
    )
    done = job.kolm("validate", "spec.yaml")
    assert done.code == 2
    assert "spec.yaml:6:" in done.err
    for words in ("its lora_r is 16, not 8", "its lora_targets is", "its projector is train"):
        assert words in done.err


def test_another_base_is_refused(warm: Compiled, tiny_base: Any) -> None:
    job = warm.job
    (job.folder / "base").unlink()
    (job.folder / "base").symlink_to(tiny_base("llava"))
    done = job.kolm("validate", "spec.yaml")
    assert done.code == 2
    assert "it was trained on another base" in done.err


def test_the_trust_policy_decides(warm: Compiled) -> None:
    key = json.loads(warm.job.kolm("keys", "list", "--json").out)[0]["id"]
    assert warm.job.kolm("keys", "revoke", key).code == 0
    done = warm.job.kolm("validate", "spec.yaml")
    assert done.code == 4
    assert "is revoked" in done.err


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ("registry:none:latest", "leave base.adapter out of the first compile"),
        ("registry:", "names no bundle"),
        ("none.kolm", "there is no file 'none.kolm'"),
        ("train.jsonl", "begins neither a file nor the directory of a ZIP"),
    ],
)
def test_what_is_no_bundle_is_refused(warm: Compiled, adapter: str, words: str) -> None:
    warm.job.write_spec(base={"adapter": adapter})
    done = warm.job.kolm("validate", "spec.yaml")
    assert done.code in (2, 4)
    assert words in done.err
