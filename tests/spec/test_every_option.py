"""Every option of the spec changes something: one that nothing reads cannot exist."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from kolm_cli.bundle.format.evaluation import EvaluationSettings
from kolm_cli.pipeline.bundle_files import evaluation_settings
from kolm_cli.pipeline.inputs import Inputs, gather
from kolm_cli.pipeline.preflight import limits_of
from kolm_cli.pipeline.train import orders_for
from kolm_cli.run import launch
from kolm_cli.spec.model import Spec, TrainSection
from kolm_cli.spec.train import TOLD_ONLY
from kolm_cli.trainer.vlm import vlm_trainer
from tests.support.jobs import Job, write_rows

GOLDEN = Path(__file__).parents[1] / "bundle" / "golden" / "p256.kolm"
Observe = Callable[[Inputs], Any]


def options(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted names of all options."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from options(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def settings(inputs: Inputs) -> EvaluationSettings:
    return evaluation_settings(inputs.spec.evaluate, 6)


# What shows that an option was read, besides the digest that every option of its section changes.
EFFECTS: dict[str, tuple[Any, Observe]] = {
    "name": ("other", lambda inputs: inputs.loaded.bundle_path),
    "base.model": ("other-base", lambda inputs: inputs.base.folder),
    "base.adapter": ("earlier.kolm", lambda inputs: inputs.parent),
    "base.trust_remote_code": (True, lambda inputs: inputs.base.load_options()),
    "data.train": ("more.jsonl", lambda inputs: len(inputs.train.rows().rows)),
    "data.eval": ("more.jsonl", lambda inputs: len(inputs.pack.rows().rows)),
    "data.max_images_per_example": (1, lambda inputs: limits_of(inputs.spec)),
    "data.truncation": ("prompt_end", lambda inputs: (limits_of(inputs.spec), orders_for(inputs))),
    "data.images.min_pixels": (900, lambda inputs: orders_for(inputs).images),
    "data.images.max_pixels": (2000, lambda inputs: orders_for(inputs).images),
    "data.images.longest_edge": (60, lambda inputs: orders_for(inputs).images),
    "data.images.resize": ("fit", lambda inputs: orders_for(inputs).images),
    "launch.device": ("cuda", lambda inputs: launch.environment(inputs.spec.launch, 1)),
    "launch.num_processes": (2, lambda inputs: launch.accelerate_config(inputs.spec.launch)),
    "launch.threads": (2, lambda inputs: inputs.threads),
    "evaluate.metric": ("anls", lambda inputs: settings(inputs).scoring().metric),
    "evaluate.max_new_tokens": (5, lambda inputs: orders_for(inputs).max_new_tokens),
    "evaluate.batch_size": (3, lambda inputs: orders_for(inputs).batch_size),
    "evaluate.usd_per_hour": (2.0, lambda inputs: settings(inputs).scoring().usd_per_hour),
    "evaluate.include": ("digests", lambda inputs: settings(inputs).include),
    "evaluate.gate.k": (0.5, lambda inputs: settings(inputs).scoring().gate),
    "evaluate.gate.accuracy": (0.5, lambda inputs: settings(inputs).scoring().gate),
    "evaluate.gate.axes": ({"S": 0.5}, lambda inputs: settings(inputs).scoring().gate),
    "evaluate.gate.groups": ({"dates": 0.5}, lambda inputs: settings(inputs).scoring().gate),
    "evaluate.gate.worst_group": (0.5, lambda inputs: settings(inputs).scoring().gate),
    "evaluate.gate.no_regression": (
        {"against": "tiny:latest"},
        lambda inputs: settings(inputs).scoring().gate,
    ),
    "evaluate.during": (
        {"every": "1 steps", "rows": 2},
        lambda inputs: (orders_for(inputs), inputs.keys.training),
    ),
    "bundle.out": ("elsewhere/", lambda inputs: inputs.loaded.bundle_path),
}
# Shown by a test of their own, which is named here.
ELSEWHERE = {
    "kolm": "tests/spec/test_load.py refuses another version",
    "base.revision": "below, since a local folder has none",
    "data.review": "tests/pipeline/test_capture_chain.py",
    "data.confine": "tests/pipeline/test_confined_data.py",
    "launch.main_process_port": "below, since it needs several processes",
}


def test_no_option_is_left_out() -> None:
    train = {f"train.{name}" for name in TrainSection.model_fields}
    assert set(options(Spec)) == {*EFFECTS, *ELSEWHERE, *train}


@pytest.fixture
def job(new_job: Callable[..., Job]) -> Job:
    job = new_job()
    shutil.copytree(job.folder / "base", job.folder / "other-base")
    write_rows(job.folder / "more.jsonl", 9, first=20_000)
    shutil.copy(GOLDEN, job.folder / "earlier.kolm")
    return job


@pytest.mark.parametrize("name", EFFECTS)
def test_another_value_is_seen(name: str, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLM_HOME", str(job.home))
    value, observe = EFFECTS[name]
    before = gather(job.spec)
    section, *rest = name.split(".")
    for part in reversed(rest):
        value = {part: value}
    job.write_spec(**{section: value})
    after = gather(job.spec)
    assert observe(before) != observe(after)
    if name != "bundle.out":
        assert before.keys.result != after.keys.result, "an earlier result would be returned"


# Another value of each option of `train`, with what it needs beside it.
OTHER: dict[str, dict[str, Any]] = {
    "lora_r": {"lora_r": 8},
    "lora_alpha": {"lora_alpha": 8},
    "lora_targets": {"lora_targets": "all-linear"},
    "lora_dropout": {"lora_dropout": 0.1},
    "freeze_vision": {"freeze_vision": False},
    "vision": {"vision": "lora"},
    "vision_lora_r": {"vision": "lora", "vision_lora_r": 4},
    "projector_lora_r": {"projector": "lora", "projector_lora_r": 4},
    "vision_learning_rate": {"freeze_vision": False, "vision_learning_rate": 1e-5},
    "cache_vision": {"cache_vision": True},
    "projector": {"projector": "freeze"},
    "projector_learning_rate": {"projector_learning_rate": 1e-5},
    "learning_rate": {"learning_rate": 1e-5},
    "lr_scheduler_type": {"lr_scheduler_type": "cosine"},
    "warmup_ratio": {"warmup_ratio": 0.1},
    "weight_decay": {"weight_decay": 0.1},
    "max_grad_norm": {"max_grad_norm": 0.5},
    "max_seq_length": {"max_seq_length": 1024},
    "loss_on": {"loss_on": "last"},
    "num_train_epochs": {"num_train_epochs": 3},
    "per_device_train_batch_size": {"per_device_train_batch_size": 2},
    "gradient_accumulation_steps": {"gradient_accumulation_steps": 2},
    "gradient_checkpointing": {"gradient_checkpointing": True},
    "save_steps": {"save_steps": 10},
    "bf16": {"bf16": True},
    "attention": {"attention": "eager"},
    "seed": {"seed": 7},
}


# A tracker decides nothing: tests/pipeline/test_trackers.py.
@pytest.mark.parametrize("name", sorted(set(TrainSection.model_fields) - TOLD_ONLY))
def test_another_value_in_train_asks_for_another_training(
    name: str, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOLM_HOME", str(job.home))
    more = {"freeze_vision": False} if name == "vision_learning_rate" else {}
    job.write_spec(train=more)
    before = gather(job.spec)
    job.write_spec(train=OTHER[name])
    after = gather(job.spec)
    assert getattr(before.spec.train, name) != getattr(after.spec.train, name)
    assert before.keys.training != after.keys.training


def test_the_revision_is_asked_for(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.write_spec(base={"model": "owner/name", "revision": "a-branch"})
    done = job.kolm("validate", "spec.yaml")
    assert done.code == 5
    assert "not on this machine at revision 'a-branch'" in done.err


def test_the_port_reaches_the_launcher(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLM_HOME", str(job.home))
    job.write_spec(launch={"num_processes": 2, "main_process_port": 29501})
    config = launch.accelerate_config(gather(job.spec).spec.launch)
    assert config["main_process_port"] == 29501


class Watched(TrainSection):
    """A section `train` that knows which of its options were read."""

    read: ClassVar[set[str]] = set()

    def __getattribute__(self, name: str) -> Any:
        if name in TrainSection.model_fields:
            Watched.read.add(name)
        return super().__getattribute__(name)


def test_training_reads_every_option_of_train(job: Job, tmp_path: Path) -> None:
    """The receipt copies the section as a whole, which would show nothing."""
    config = Watched(bf16=False, gradient_accumulation_steps=1, per_device_train_batch_size=8)
    Watched.read.clear()
    rows = [
        {"image": job.folder / "images" / f"{n}.png", "prompt": "hue?", "response": "red"}
        for n in range(16)
    ]
    vlm_trainer(
        str(job.folder / "base"), rows, config, device="cpu", output_dir=tmp_path / "out"
    ).train()
    assert Watched.read == set(TrainSection.model_fields)
