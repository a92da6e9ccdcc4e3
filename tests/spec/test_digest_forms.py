"""The forms of a spec: what they hold, what they leave out, and that they are stable."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.core import canonical_json
from kolm_cli.core.yaml_positions import parse
from kolm_cli.spec.digest_forms import bundle_form, evaluation_form, training_form
from kolm_cli.spec.load import load_spec
from kolm_cli.spec.model import Spec

DIGESTS = {"train_digest": "a" * 64, "eval_digest": "b" * 64}
LEAST: dict[str, Any] = {
    "kolm": 1,
    "name": "x",
    "base": {"model": "a/b"},
    "data": {"train": "capture:x", "eval": "capture:y"},
    "evaluate": {"metric": "anls"},
}


def spec_of(**sections: Any) -> Spec:
    return Spec.model_validate(LEAST | sections)


def form(spec: Spec, identity: str = "a/b") -> dict[str, Any]:
    value = parse(bundle_form(spec, **DIGESTS, base_identity=identity), "spec.yaml").value
    assert isinstance(value, dict)
    return value


def test_nothing_of_this_machine_stands_in_it(write: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "my model").mkdir()
    path = write(
        ("Qwen/Qwen2.5-VL-3B-Instruct", str(tmp_path / "my model")),
        ("evals/chart-qa.jsonl", str(tmp_path / "evals/chart-qa.jsonl")),
        (
            "  device: cpu",
            "  num_processes: 2\n  main_process_port: 29501",
        ),
    )
    path.write_text(path.read_text() + f"bundle: {{out: {tmp_path}}}\n")
    spec = load_spec(path).spec
    data = bundle_form(spec, **DIGESTS, base_identity="my model")
    for private in (str(tmp_path), "29501", "chart-qa.jsonl", "capture"):
        assert private.encode() not in data
    value = parse(data, "spec.yaml").value
    assert value["base"]["model"] == "my model"
    assert value["data"]["train"] == "sha256:" + "a" * 64
    assert value["data"]["eval"] == "sha256:" + "b" * 64
    assert "main_process_port" not in value["launch"]
    assert "bundle" not in value


def test_every_default_is_written_and_it_reads_as_a_spec() -> None:
    spec = spec_of(train={"projector": "freeze", "lora_targets": ["x", "y"]})
    value = form(spec)
    assert value["train"]["learning_rate"] == 1e-4
    assert value["train"]["lora_targets"] == ["x", "y"]
    assert "projector_learning_rate" not in value["train"]  # it has no effect
    again = Spec.model_validate(value)
    assert again.train == spec.train
    assert bundle_form(again, **DIGESTS, base_identity="a/b") == bundle_form(
        spec, **DIGESTS, base_identity="a/b"
    )


def test_where_the_spec_says_the_same_the_bytes_are_the_same() -> None:
    one = spec_of(train={"lora_r": 16, "seed": 42}, launch=None, bundle={"out": "elsewhere"})
    assert bundle_form(one, **DIGESTS, base_identity="a/b") == bundle_form(
        spec_of(), **DIGESTS, base_identity="a/b"
    )


def test_the_bytes_are_pinned() -> None:
    text = bundle_form(spec_of(), **DIGESTS, base_identity="a/b").decode()
    assert text.startswith(
        "base:\n  model: a/b\n  revision: main\n  trust_remote_code: false\n"
        "data:\n  eval: sha256:bbbb"
    )
    assert "  learning_rate: 0.0001\n" in text
    assert "  projector_learning_rate: 2.0e-05\n" in text
    assert "  gate:\n    accuracy: null\n    k: null\n" in text


@pytest.mark.parametrize("revision", ["5417e10", "1234567", "1_000", "on", "2024-01-02", "0x10"])
def test_a_commit_that_looks_like_a_number_stays_text(revision: str) -> None:
    spec = spec_of(base={"model": "a/b", "revision": revision})
    assert form(spec)["base"]["revision"] == revision


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_floats_lose_nothing(rate: float) -> None:
    spec = spec_of(train={"learning_rate": rate})
    data = bundle_form(spec, **DIGESTS, base_identity="a/b")
    # Also to a reader that is plain PyYAML.
    assert yaml.safe_load(data)["train"]["learning_rate"] == rate
    assert parse(data, "f").value["train"]["learning_rate"] == rate


@pytest.mark.parametrize("identity", ["/home/x/model", "./m", "../m", "~/m", "a/b/c", "C:\\m", ""])
def test_a_path_is_no_identity(identity: str) -> None:
    with pytest.raises(ValueError, match="neither a hub id nor"):
        bundle_form(spec_of(), **DIGESTS, base_identity=identity)


def test_what_is_no_digest_is_refused() -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        bundle_form(spec_of(), train_digest="x", eval_digest="b" * 64, base_identity="a/b")


TRAINING = [
    {"name": "y"},
    {"base": {"model": "a/c"}},
    {"base": {"model": "a/b", "revision": "v2"}},
    {"train": {"seed": 7}},
    {"train": {"projector": "freeze"}},
    {"launch": {"device": "cpu"}},
    {"launch": {"num_processes": 2}},
]
EVALUATION = [
    {"evaluate": {"metric": "anls", "max_new_tokens": 8}},
    {"evaluate": {"metric": "anls", "batch_size": 1}},
]
BOTH = [
    {"data": LEAST["data"] | {"max_images_per_example": 1}},
    {"data": LEAST["data"] | {"review": "accepted"}},
    {"data": LEAST["data"] | {"truncation": "prompt_end"}},
    {"data": LEAST["data"] | {"confine": True}},
]
NEITHER = [
    {"evaluate": {"metric": "exact_match"}},
    {"evaluate": {"metric": "anls", "usd_per_hour": 2.0, "gate": {"k": 0.5}}},
    {"evaluate": {"metric": "anls", "gate": {"accuracy": 0.5}}},
    {"evaluate": {"metric": "anls", "include": "digests"}},
    {"data": {"train": "capture:elsewhere", "eval": "capture:y"}},  # its digest counts
    {"bundle": {"out": "elsewhere"}},
    {"launch": {"num_processes": 1, "threads": None}},
    {"launch": {"threads": 2}},  # on a GPU they decide nothing
]


@pytest.mark.parametrize(
    ("changed", "training", "evaluation"),
    [(c, True, False) for c in TRAINING]
    + [(c, False, True) for c in EVALUATION]
    + [(c, True, True) for c in BOTH]
    + [(c, False, False) for c in NEITHER],
)
def test_what_decides_training_and_what_decides_answers(
    changed: dict[str, Any], training: bool, evaluation: bool
) -> None:
    one, other = spec_of(), spec_of(**changed)
    assert (training_form(one) != training_form(other)) is training
    assert (evaluation_form(one) != evaluation_form(other)) is evaluation


def test_the_forms_are_plain_json() -> None:
    spec = spec_of(train={"lora_targets": ["a"]})
    for value in (training_form(spec), evaluation_form(spec)):
        assert json.loads(canonical_json.dumps(value)) == value


def test_threads_decide_on_a_cpu() -> None:
    one, two = (spec_of(launch={"device": "cpu", "threads": n}) for n in (1, 2))
    assert training_form(one) != training_form(two)
