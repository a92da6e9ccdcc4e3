"""`train.loss_on: last` shows the earlier turns and learns the last one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from kolm_cli.encoding.mask_view import marked_text
from kolm_cli.encoding.row_checks import check_rows
from kolm_cli.spec.digest_forms import bundle_form, training_form
from kolm_cli.spec.load import load_spec
from tests.support.cases import Case, Notes
from tests.support.jobs import Job

FAMILIES = ("qwen2_5_vl", "smolvlm", "gemma3", "text")


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_last_turn_is_learned(family: str, new_case: Callable[..., Case]) -> None:
    case = new_case(family)
    row = case.row(("Color?", "FIRST"), ("Again.", "SECOND"))
    encoder = case.encoder()
    every, last = (marked_text(replace(encoder, loss_on=on), row) for on in ("all", "last"))
    assert [part.partition("⟧")[0].split("<")[0].strip() for part in every.split("⟦")[1:]] == [
        "FIRST",
        "SECOND",
    ]
    assert last.count("⟦") == 1
    assert last.index("FIRST") < last.index("⟦") < last.index("SECOND")
    # The same tokens: only the loss differs.
    assert every.replace("⟦", "").replace("⟧", "") == last.replace("⟦", "").replace("⟧", "")


def test_it_says_when_it_changes_nothing(new_case: Callable[..., Case]) -> None:
    case = new_case("qwen2_5_vl")
    encoder = replace(case.encoder(), loss_on="last")
    one, two = case.row(("a?", "b")), case.row(("a?", "b"), ("c?", "d"))
    notes = Notes()
    check_rows(encoder, [one], progress=notes)
    assert notes.notes == [
        "train.loss_on: last changes nothing, as no row learns more than one turn"
    ]
    notes = Notes()
    check_rows(encoder, [one, two], progress=notes)
    assert notes.notes == []


def test_the_spec_reaches_the_mask(new_job: Callable[..., Job]) -> None:
    job = new_job()
    turns = [("user", "Color?"), ("assistant", "FIRST"), ("user", "Sure?"), ("assistant", "LAST")]
    record = {
        "messages": [{"role": role, "content": text} for role, text in turns],
        "images": ["images/0.png"],
    }
    lines = [json.dumps(record), json.dumps({**record, "images": ["images/1.png"]})]
    (job.folder / "train.jsonl").write_text("\n".join(lines) + "\n")
    masks = []
    for on in ("all", "last"):
        job.write_spec(train={"loss_on": on, "per_device_train_batch_size": 1})
        done = job.kolm("validate", "spec.yaml", "--show-mask", "1", "--json")
        assert done.code == 0, done.err
        masks.append(done.json["masks"][0]["text"])
    assert "⟦FIRST" in masks[0]
    assert "⟦FIRST" not in masks[1]
    assert "⟦LAST" in masks[1]


def test_a_spec_without_it_keeps_its_bytes(new_job: Callable[..., Job]) -> None:
    job = new_job()

    def forms(path: Path) -> tuple[bytes, object]:
        spec = load_spec(path).spec
        digests = {"train_digest": "1" * 64, "eval_digest": "2" * 64}
        return bundle_form(spec, **digests, base_identity="base"), training_form(spec)

    without = forms(job.spec)
    job.write_spec(train={"loss_on": "all"})
    assert forms(job.spec) == without
    assert b"loss_on" not in without[0]
    job.write_spec(train={"loss_on": "last"})
    written, deciding = forms(job.spec)
    assert yaml.safe_load(written)["train"]["loss_on"] == "last"
    assert deciding != without[1]
