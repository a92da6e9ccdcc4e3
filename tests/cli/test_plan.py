"""`kolm plan`, from a spec to an answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest

from kolm_cli.plan import cards
from tests.support.jobs import Job


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, new_job: Callable[..., Job]) -> Job:
    """A job whose base has no weights."""
    job = new_job(
        "llava_next",
        folder=tmp_path_factory.mktemp("bare"),
        launch={"device": "cuda"},
        train={"bf16": True, "lora_r": 4, "gradient_accumulation_steps": 2},
        evaluate={"max_new_tokens": 200, "during": {"every": "1 steps", "rows": 2}},
    )
    base = job.folder / "base"
    real = base.resolve()
    base.unlink()
    shutil.copytree(real, base, ignore=shutil.ignore_patterns("*.safetensors"))
    return job


def another_base(job: Job, file: str, model: str) -> None:
    spec = json.loads(job.spec.read_text())
    spec["base"]["model"] = model
    (job.folder / file).write_text(json.dumps(spec))


def test_a_plan_needs_neither_weights_nor_a_gpu(bare: Job) -> None:
    done = bare.kolm("plan", "spec.yaml", "--json", "--device", "a100-80gb")
    assert done.code == 0, done.err
    found = done.json
    assert found["base"]["source"] == "files"
    assert found["rows"]["rows"] == 16
    assert found["largest"]["micro_batches"] == 2
    made_of = found["largest"]["peak"]["made_of"]
    assert sum(made_of.values()) == found["largest"]["peak"]["bytes"]
    assert {"base.language", "base.vision", "adapters", "gradients", "activations"} <= set(made_of)
    lines = {line["what"]: line for line in found["memory"]}
    assert lines["with checkpointing"]["live"] < lines["without checkpointing"]["live"]
    assert lines["without checkpointing"]["live"] == found["largest"]["peak"]["bytes"]
    assert found["answered_token"]["waits"] == 1
    # The base, the adapter, and what is asked after each of four steps: a batch each.
    card = next(line for line in found["cards"] if line["card"] == "a100-80gb")
    answers = 6 * 200 * card["seconds_a_token"] / 3600
    assert card["evaluation_hours"] == pytest.approx(answers, abs=2e-6)
    advice = {line["write"]: line for line in found["advice"]}
    assert advice["train: {gradient_checkpointing: true}"]["saves"] > 0
    assert advice["train: {projector: freeze}"]["saves"] > 0
    assert not next(c for c in found["cards"] if c["card"] == "t4")["fits"]


def test_what_does_not_fit_ends_with_3_and_says_what_would(
    bare: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = bare.kolm("plan", "spec.yaml", "--json", "--no-advice").json
    kept, checkpointed = plan["memory"][0]["needed"], plan["memory"][1]["needed"]
    between = replace(cards.CARDS["a100-80gb"], memory=(kept + checkpointed) // 2)
    monkeypatch.setitem(cards.CARDS, "a100-80gb", between)
    done = bare.kolm("plan", "spec.yaml", "--device", "a100-80gb")
    assert done.code == 3, done.err
    assert "does not fit: it needs" in done.err
    assert "it would fit with train: {gradient_checkpointing: true}" in done.err
    assert "rows         16" in done.out


def test_a_card_that_nobody_knows(bare: Job) -> None:
    done = bare.kolm("plan", "spec.yaml", "--device", "a9000")
    assert done.code == 2
    assert "no card is called 'a9000'" in done.err
    assert "a100-80gb" in done.err


@pytest.mark.parametrize("text", ["A100 80GB", "NVIDIA A100-SXM4-80GB", "a100_80gb", "a100-80gb"])
def test_a_card_has_several_spellings(text: str) -> None:
    assert cards.named(text).name == "a100-80gb"
    assert cards.named("NVIDIA GeForce RTX 4090") == cards.named("4090") == cards.named("rtx-4090")


def test_a_base_that_is_not_here_and_not_known(bare: Job) -> None:
    another_base(bare, "unknown.yaml", "nobody/nothing")
    done = bare.kolm("plan", "unknown.yaml")
    assert done.code == 5, done.err
    assert "not on this machine" in done.err


def test_rows_may_be_assumed_and_options_set(bare: Job) -> None:
    another = json.loads(bare.spec.read_text())
    another["data"] |= {"train": "capture:nobody", "eval": "nothing.jsonl"}
    (bare.folder / "empty.yaml").write_text(json.dumps(another))
    without = bare.kolm("plan", "empty.yaml", "--set", "data.eval=capture:nobody")
    assert without.code == 2
    assert "--rows" in without.err
    done = bare.kolm(
        "plan", "empty.yaml", "--rows", "900", "--pixels", "40x30", "--tokens", "150",
        "--set", "train.lora_r=2", "--set", "evaluate.max_new_tokens=8", "--no-advice", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    found = done.json
    assert found["assumed_rows"] == {"rows": 900, "pictures": [[40, 30]], "evaluation_rows": 100}
    assert found["rows"]["text"]["min"] == found["rows"]["text"]["max"]
    assert abs(found["rows"]["text"]["max"] - 150) <= 1
    assert found["steps"] > 100
    wide = bare.kolm("plan", "empty.yaml", "--rows", "900", "--no-advice", "--pixels", "40x30")
    assert max(map(len, wide.out.splitlines())) <= 80
    assert "rows are assumed: 900 alike, pictures of 40 x 30" in wide.out


def test_rows_that_a_compile_would_refuse_are_no_success(bare: Job) -> None:
    rows = (bare.folder / "train.jsonl").read_text().splitlines()
    rows.append(json.dumps({"images": [], "prompt": "Say it", "response": "so " * 2000}))
    (bare.folder / "long.jsonl").write_text("\n".join(rows))
    done = bare.kolm("plan", "spec.yaml", "--no-advice", "--set", "data.train=long.jsonl")
    assert done.code == 2, done.err
    assert "refused      1 row; long.jsonl:17" in done.out
    assert "kolm compile refuses 1 of 17 rows" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pixels", "40x30"], "no effect without --rows"),
        (["--rows", "0"], "--rows"),
        (["--rows", "2", "--pixels", "40"], "no width and height"),
        (["--rows", "2", "--pixels", "99999x99999"], "more than the"),
        (["--rows", "2", "--tokens", "3"], "more than 3"),
        (["--rows", "2", "--tokens", "90000"], "more than train.max_seq_length"),
        (["--rows", "2", "--every-row"], "exclude each other"),
        (["--set", "train.lora_r=0"], "train.lora_r"),
        (["--set", "evaluate.during.rows=99"], "evaluate.during.rows: the pack has 6 rows, not 99"),
        (["--set", "evaluate.during.every=99 steps"], "is longer than the training"),
        (["--device", "a100"], "write a100-80gb or a100-40gb"),
        (["--device", "L40"], "did you mean l40s?"),
        (["--device", ""], "no card is called ''"),
    ],
)
def test_what_makes_no_sense_is_refused(bare: Job, options: list[str], said: str) -> None:
    done = bare.kolm("plan", "spec.yaml", *options)
    assert done.code == 2, done.out
    assert said in done.err


def test_this_machine_s_processor_is_measured_by_a_short_step(bare: Job) -> None:
    done = bare.kolm(
        "plan", "spec.yaml", "--rows", "8", "--pixels", "40x30", "--device", "cpu",
        "--set", "launch.device=cpu", "--set", "train.bf16=false", "--no-advice", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    [card] = done.json["cards"]
    found = done.json["calibration"]
    assert card["card"] == done.json["card"] == "cpu"
    assert card["measured"]
    assert card["fits"]
    assert found["seconds"]
    assert 1 <= found["layers"] <= found["of_layers"]
    assert done.json["assumed"]["times"] == pytest.approx(found["times"], rel=1e-2)
    assert 0 < found["share_of_operations"] < 2
    assert {line["counted"] for line in done.json["memory"]} == {True}


def test_an_unsupported_family_is_refused_by_name_with_the_reason(bare: Job) -> None:
    """Nothing of it is here, and nothing has to be fetched to know."""
    another_base(bare, "unsupported.yaml", "meta-llama/Llama-3.2-11B-Vision-Instruct")
    done = bare.kolm("plan", "unsupported.yaml")
    assert done.code == 2, done.err
    assert "mllama is unsupported: it sees images through cross-attention" in done.err


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("text_config", "num_hidden_layers", -1),
        ("text_config", "num_hidden_layers", 10**9),
        ("text_config", "num_hidden_layers", 10**400),
        ("text_config", "hidden_size", 2**40),
        ("text_config", "num_attention_heads", 0),
        ("", "text_config", []),
        ("", "vision_config", "x"),
        ("text_config", "hidden_act", "os.system"),
    ],
)
def test_a_configuration_that_cannot_be_is_an_error(
    part: str, name: str, value: object, bare: Job
) -> None:
    path = bare.folder / "base" / "config.json"
    before = path.read_bytes()
    config = json.loads(before)
    (config[part] if part else config)[name] = value
    path.write_text(json.dumps(config))
    try:
        done = bare.kolm("plan", "spec.yaml", "--no-advice", "--rows", "1", "--pixels", "none")
    finally:
        path.write_bytes(before)
    assert done.code == 2, done.err
    assert "config.json" in done.err
    assert "unexpected" not in done.err


def test_a_card_without_bf16_is_told_of_the_way_out(bare: Job) -> None:
    done = bare.kolm("plan", "spec.yaml", "--rows", "8", "--pixels", "none", "--device", "t4")
    assert done.code == 3, done.err
    assert "it would fit with train: {bf16: false}" in done.err
    assert "{bf16: false, gradient_checkpointing: true}" in done.out
    # All rows are alike: a single kind of step.
    assert "a middling step" not in done.out


@pytest.mark.slow
def test_seventy_two_billion_parameters(bare: Job) -> None:
    """On published numbers; its time and memory are in docs/how-to/plan.md."""
    another_base(bare, "large.yaml", "Qwen/Qwen2.5-VL-72B-Instruct")
    done = bare.kolm("plan", "large.yaml", "--json", "--no-advice", "--device", "a100-80gb")
    assert done.code == 3
    assert done.json["base"]["source"] == "published numbers"
    assert done.json["largest"]["peak"]["made_of"]["base.language"] > 140e9
