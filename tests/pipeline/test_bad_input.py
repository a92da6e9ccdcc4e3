"""Bad input: a clear error with its place, all of them at once, and nothing half written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.jobs import Job


@pytest.fixture(scope="module")
def job(new_job: Callable[..., Job]) -> Job:
    return new_job()


def nothing_written(job: Job) -> bool:
    return not (job.folder / "dist").exists() and not list(job.home.glob("runs/*/trained"))


def test_problems_of_every_stage_come_at_once(job: Job) -> None:
    (job.folder / "rows.jsonl").write_text('{"promt": "q", "response": "a"}\nno json\n')
    (job.folder / "hollow").mkdir(exist_ok=True)
    spec = job.folder / "bad.yaml"
    spec.write_text(
        "kolm: 1\n"
        "name: tiny\n"
        "name: again\n"
        "base:\n"
        "  model: hollow\n"
        "  adapter: registry:gone:live\n"
        "data:\n"
        "  train: missing.jsonl\n"
        "  eval: rows.jsonl\n"
        "train:\n"
        "  lora_rank: 4\n"
        "  learning_rate: fast\n"
        "evaluate:\n"
        "  metric: exact_match\n"
    )
    done = job.kolm("compile", "bad.yaml", "--json")
    assert done.code == 2
    said = [f"{p['where']} {p['what']}" for p in done.json["error"]["problems"]]
    expected = [
        ("bad.yaml:3:", "name"),
        ("bad.yaml:8:", "missing.jsonl"),
        ("bad.yaml:11:", "lora_r"),
        ("bad.yaml:12:", "rate"),
        ("base.model hollow", "config.json"),
        ("rows.jsonl:1", "promt"),
        ("rows.jsonl:2", "not JSON"),
        ("bad.yaml:6:", "gone"),
    ]
    for place, word in expected:
        assert any(one.startswith(place) and word in one for one in said), (place, said)
    assert nothing_written(job)


def test_a_base_that_is_missing_hides_no_bad_row_and_no_unknown_bundle(job: Job) -> None:
    (job.folder / "rows.jsonl").write_text("no json\n")
    (job.folder / "hollow").mkdir(exist_ok=True)
    changes = ["base.model=hollow", "data.train=rows.jsonl"]
    changes += ["evaluate.gate.no_regression.against=gone:live"]
    options = [word for change in changes for word in ("--set", change)]
    done = job.kolm("validate", "spec.yaml", *options)
    assert done.code == 2
    for word in ("hollow", "rows.jsonl:1", "gone:live"):
        assert word in done.err


BAD_ROWS: list[tuple[dict[str, object], str]] = [
    ({"image": "images/none.png", "prompt": "q", "response": "a"}, "images/none.png"),
    ({"image": "cut.png", "prompt": "q", "response": "a"}, "cut.png"),
    ({"image": "images/0.png", "prompt": "q", "response": "  "}, "empty"),
    ({"image": "images/0.png", "promt": "q", "response": "a"}, "did you mean prompt"),
    ({"image": "images/0.png", "prompt": 7, "response": "a"}, "prompt: expected text"),
    ({"image": "images/0.png", "prompt": "see <|image_pad|>", "response": "a"}, "keeps for itself"),
]


def test_every_bad_row_is_named_with_its_reason(new_job: Callable[..., Job]) -> None:
    job = new_job()
    whole = (job.folder / "images" / "0.png").read_bytes()
    (job.folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    with (job.folder / "train.jsonl").open("a") as stream:
        for row, _ in BAD_ROWS:
            stream.write(json.dumps(row) + "\n")
        stream.write("not json\n")
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 2, done.out
    said = {p["where"]: p["what"] + p["fix"] for p in done.json["error"]["problems"]}
    for number, (_, reason) in enumerate(BAD_ROWS, 17):
        assert reason in said[f"train.jsonl:{number}"]
    assert f"train.jsonl:{17 + len(BAD_ROWS)}" in said
    assert len(said) == len(BAD_ROWS) + 1, "only the bad rows are bad"
    assert nothing_written(job)


def test_all_bad_rows_of_both_sets_are_named_at_once(new_job: Callable[..., Job]) -> None:
    job = new_job()
    shared = json.loads((job.folder / "train.jsonl").read_text().splitlines()[0])
    with (job.folder / "train.jsonl").open("a") as stream:
        for _ in range(2):
            images = [f"images/{i}.png" for i in range(5)]
            row = {"images": images, "prompt": "compare", "response": "a"}
            stream.write(json.dumps(row) + "\n")
    with (job.folder / "eval.jsonl").open("a") as stream:
        stream.write(json.dumps(shared) + "\n")
    done = job.kolm("validate", "spec.yaml")
    assert done.code == 2
    for name in ("train.jsonl:17", "train.jsonl:18", "eval.jsonl:7"):
        assert name in done.err
    assert "max_images_per_example is 4" in done.err
    assert "training row" in done.err


def test_rows_that_do_not_fit_are_refused_and_cut_ones_reported(
    new_job: Callable[..., Job],
) -> None:
    job = new_job(train={"max_seq_length": 90})
    with (job.folder / "train.jsonl").open("a") as stream:
        long = {"image": "images/0.png", "prompt": "x" * 100 + "end?", "response": "a"}
        stream.write(json.dumps(long) + "\n")
    done = job.kolm("validate", "spec.yaml", "--json")
    assert done.code == 0, done.err
    assert done.json["train"]["truncated"] == ["train.jsonl:17"]
    cut = done.json["train"]["per_row"][-1]
    assert cut["id"] == "train.jsonl:17"
    assert cut["cut"] > 0
    assert cut["tokens"] <= 90
    assert cut["supervised"] == 2, "the answer's one token and the end of the turn"
    assert cut["image_tokens"] > 0
    assert "train.jsonl:17" in done.err
    assert "image tokens are kept" in done.err
    job.write_spec(train={"max_seq_length": 40})
    refused = job.kolm("validate", "spec.yaml")
    assert refused.code == 2
    assert "train.jsonl:1:" in refused.err
    assert "budget is 40" in refused.err


def test_a_base_without_a_processor_is_refused(new_job: Callable[..., Job]) -> None:
    job = new_job()
    base = job.folder / "bare"
    shutil.copytree(job.folder / "base", base)
    for name in ("processor_config.json", "preprocessor_config.json"):
        (base / name).unlink(missing_ok=True)
    job.write_spec(base={"model": "bare"})
    done = job.kolm("compile", "spec.yaml")
    assert done.code == 2
    assert "no processor" in done.err
    assert nothing_written(job)


def test_a_missing_gpu_is_exit_5_and_no_silent_fall_back(new_job: Callable[..., Job]) -> None:
    job = new_job(launch={"device": "cuda"})
    done = job.kolm_process("compile", "spec.yaml", CUDA_VISIBLE_DEVICES="")
    assert done.code == 5
    assert "device: cpu" in done.err
    assert nothing_written(job)


def test_a_hub_model_that_is_not_here_is_exit_5(new_job: Callable[..., Job]) -> None:
    job = new_job()
    job.write_spec(base={"model": "Qwen/Qwen2.5-VL-3B-Instruct"})
    done = job.kolm_process("compile", "spec.yaml", HF_HOME=str(job.folder / "no-cache"))
    assert done.code == 5
    assert "hf download" in done.err


def test_too_few_steps_are_refused_before_training(new_job: Callable[..., Job]) -> None:
    job = new_job(train={"num_train_epochs": 1, "gradient_accumulation_steps": 8})
    done = job.kolm("validate", "spec.yaml")
    assert done.code == 2
    assert "optimizer step" in done.err


def test_a_damaged_base_is_fatal(new_job: Callable[..., Job]) -> None:
    """A renamed key would otherwise load as random weights, with a warning at most."""
    from safetensors.torch import load_file, save_file

    job = new_job()
    base = job.folder / "renamed"
    shutil.copytree(job.folder / "base", base)
    weights = load_file(base / "model.safetensors")
    name = next(n for n in weights if "q_proj.weight" in n)
    weights[name.replace("q_proj", "q_prj")] = weights.pop(name)
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    job.write_spec(base={"model": "renamed"})
    done = job.kolm("compile", "spec.yaml")
    assert done.code == 2, done.err
    assert "q_proj" in done.err
    assert "missing keys" in done.err


def test_no_command_exits_0_by_mistake(job: Job, tmp_path: Path) -> None:
    assert job.kolm("comple").code == 2
    assert job.kolm("compile").code == 2
    assert job.kolm("compile", tmp_path / "none.yaml").code == 2
    assert job.kolm("verify", tmp_path / "none.kolm").code == 2
