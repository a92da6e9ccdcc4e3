"""`modules.json` against the adapter, the base and the training data: rules on the files alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.bundle.signing import keys
from kolm_cli.core import canonical_json
from tests.bundle import factory
from tests.bundle.claims import REMOVED, failed, full_bundle

Edit = Callable[[dict[str, Any]], object]
A0 = "model.language_model.layers.0.self_attn.q_proj.lora_A.weight"


@pytest.fixture(scope="module")
def signer() -> keys.Signer:
    return keys.generate()


def listed(edit: Edit) -> Callable[[factory.Files], None]:
    """Changes `modules.json`; the receipt and the adapter's file are made to fit what is left."""

    def change(files: factory.Files) -> None:
        data = files["modules.json"]
        assert isinstance(data, bytes)
        modules = json.loads(data)
        edit(modules)
        for which in ("trainable", "frozen"):
            modules[which].sort(key=lambda entry: entry["name"])
        files["modules.json"] = canonical_json.dumps(modules)
        shapes: dict[str, dict[str, list[int]]] = {}
        for entry in modules["trainable"]:
            shapes.setdefault(entry["file"], {})[entry["tensor"]] = entry["shape"]
        files |= {path: factory.safetensors_bytes(tensors) for path, tensors in shapes.items()}

    return change


def first(**changes: Any) -> Edit:
    return lambda modules: modules["trainable"][0].update(changes)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (first(kind="full"), f"{A0} is not lora in"),
        (first(tensor=A0), f"{A0} is not lora in"),
        (first(file="adapter/vision.safetensors"), f"{A0} is not lora in"),
        (first(part="vision"), f"{A0} has no frozen"),
        (first(shape=[4, 8]), "not one of rank 2"),
        (first(shape=[16]), "not one of rank 2"),
        (lambda m: m["trainable"][-1].update(kind="lora"), "is not full in"),
        (lambda m: m["trainable"][-1].update(part="vision"), "in adapter/vision.safetensors"),
        (lambda m: m.update(frozen=[]), "has no frozen model.language_model.layers.0"),
        (lambda m: m["frozen"].pop(0), "has no frozen model.language_model.layers.0"),
        (lambda m: m["frozen"][0].update(part="vision"), "of the part language"),
        (
            lambda m: m["frozen"].append({**m["frozen"][0], "name": "x.lora_A.weight"}),
            "x.lora_A.weight belongs to an adapter",
        ),
    ],
)
def test_tensors_are_what_their_names_say(
    tmp_path: Path, signer: keys.Signer, edit: Edit, words: str
) -> None:
    full_bundle(tmp_path / "a.kolm", signer, files=listed(edit))
    report, problems = failed(tmp_path / "a.kolm", signer)
    assert report.state == "invalid"
    assert words in problems["modules"]


@pytest.mark.parametrize("part", ["projector", "vision"])
def test_a_rank_of_a_part_without_lora_is_refused(
    tmp_path: Path, signer: keys.Signer, part: str
) -> None:
    claim = f"receipt.vlm_train.{part}_lora_r"
    full_bundle(tmp_path / "a.kolm", signer, claim, lambda _: 8)
    report, problems = failed(tmp_path / "a.kolm", signer)
    assert report.state == "invalid"
    assert f"the receipt gives the {part} a rank" in problems["modules"]


def test_a_frozen_part_relabelled_contradicts_the_counts(
    tmp_path: Path, signer: keys.Signer
) -> None:
    relabelled = listed(lambda m: m["frozen"][-1].update(part="projector"))
    full_bundle(tmp_path / "a.kolm", signer, files=relabelled)
    _, problems = failed(tmp_path / "a.kolm", signer)
    assert "parameters_after_peft says" in problems["agreement"]


def test_frozen_and_unchanged_names_what_is_frozen(tmp_path: Path, signer: keys.Signer) -> None:
    path, digests = tmp_path / "a.kolm", "receipt.vlm_train.evidence"
    full_bundle(
        path,
        signer,
        digests,
        lambda v: {**v, "frozen_digests_before": {}, "frozen_digests_after": {}},
    )
    _, problems = failed(path, signer)
    assert "there is no digest of what is frozen" in problems["evidence"]


def test_an_evaluation_picture_that_was_trained_on_is_refused(
    tmp_path: Path, signer: keys.Signer
) -> None:
    def leak(files: factory.Files) -> None:
        rows = factory.lines_of(files, "eval/pack.jsonl")
        rows[0]["images"] = [factory.digest("image 1")]
        files["eval/pack.jsonl"] = factory.jsonl(rows)

    full_bundle(tmp_path / "a.kolm", signer, files=leak)
    _, problems = failed(tmp_path / "a.kolm", signer)
    assert "1 images of the evaluation were trained on" in problems["dataset"]


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x\n",
        "a: !!python/object:os.system x\n",
        "a: !!str x\n",
        "a: 1\na: 2\n",
        "[1, 2]\n",
        "{[1]: 2}\n",
        "a: " + "[" * 40 + "]" * 40,
        "a: 2026-13-99\n",
        "a: [",
        "",
        "a: 1\n---\nb: 2\n",
        "a: \ud800\n",
    ],
)
def test_a_spec_that_is_not_plain_is_refused(
    tmp_path: Path, signer: keys.Signer, text: str
) -> None:
    content = factory.make_files() | {"spec.yaml": text.encode("utf-8", "surrogatepass")}
    factory.make_bundle(tmp_path / "a.kolm", signer, files=content)
    report, problems = failed(tmp_path / "a.kolm", signer)
    assert report.state == "invalid"
    assert "spec.yaml" in problems["agreement"]


def test_a_claim_may_be_left_out_by_what_kolm_wrote_earlier(
    tmp_path: Path, signer: keys.Signer
) -> None:
    full_bundle(tmp_path / "a.kolm", signer, "stage.train.base", lambda _: REMOVED)
    assert failed(tmp_path / "a.kolm", signer)[0].state == "trusted"
