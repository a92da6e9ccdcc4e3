"""`kolm init --data`: the spec that it proposes loads as it is, and fits the data."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kolm_cli.cli.app import build_app
from kolm_cli.core.errors import InputError
from kolm_cli.scoring.metrics.catalog import names
from kolm_cli.spec.load import load_spec
from kolm_cli.spec.model import Spec
from tests.cli.rows import write_rows

runner = CliRunner()


@pytest.fixture(autouse=True)
def in_the_tests_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> str:
    done = runner.invoke(build_app(), [*arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def spec_of(folder: Path) -> Spec:
    return load_spec(folder / "kolm.yaml", metrics=names()).spec


def test_a_namespace_is_parted_and_the_spec_loads_as_it_is(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "charts.jsonl", [str(n) for n in range(120)])
    run("capture", "import", str(rows), "--to", "charts")
    text = run("init", "new", "--data", "capture:charts")
    spec = spec_of(tmp_path / "new")
    assert spec.name == "charts"
    train, held_out = spec.data.train, spec.data.eval
    assert train.startswith("capture:charts@train")
    assert held_out.startswith("capture:charts@eval")
    counts = [
        len(json.loads(run("capture", "ls", source.removeprefix("capture:"), "--json")))
        for source in (train, held_out)
    ]
    assert sum(counts) == 120
    assert f"{counts[0]} train, {counts[1]} are held out" in text
    assert spec.data.max_images_per_example == 1
    assert spec.data.images.max_pixels == 1600 * 28 * 28, "beside 448 tokens of text"
    assert spec.evaluate.metric == "relaxed_accuracy"


def test_a_file_is_imported_first(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "charts.jsonl", ["yes", "no"] * 30, images=2)
    text = run("init", "new", "--name", "qa", "--data", str(rows))
    assert f"1. kolm capture import {rows} --to qa" in text
    spec = spec_of(tmp_path / "new")
    assert spec.data.train == "capture:qa@train:0.8"
    assert spec.data.eval == "capture:qa@eval:0.2"
    assert spec.data.max_images_per_example == 2
    assert spec.data.images.max_pixels == 800 * 28 * 28


@pytest.mark.parametrize(
    ("answers", "metric", "tokens"),
    [
        (["7", "1,234", "25%", "-0.5", "12.75"], "relaxed_accuracy", 8),
        (["red", "dark green", "none"], "exact_match", 16),
        (["Paid on the third of May to " + "the supplier " * 5] * 3, "anls", 128),
    ],
)
def test_the_metric_fits_the_answers(
    tmp_path: Path, answers: list[str], metric: str, tokens: int
) -> None:
    rows = write_rows(tmp_path / "x.jsonl", answers)
    run("init", "new", "--name", "x", "--data", str(rows))
    evaluate = spec_of(tmp_path / "new").evaluate
    assert (evaluate.metric, evaluate.max_new_tokens) == (metric, tokens)


def test_few_rows_get_more_epochs_and_a_small_base_higher_rates(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "model.safetensors").write_bytes(b"x" * 1000)
    found = {}
    for count in (20, 700):
        rows = write_rows(tmp_path / f"r{count}.jsonl", ["a"] * count)
        for model in ("acme/large", str(base)):
            folder = f"n{count}{model[:2]}".replace("/", "-")
            run("init", folder, "--name", "x", "--data", str(rows), "--model", model)
            found[count, model] = spec_of(tmp_path / folder).train
    few, many = found[20, "acme/large"], found[700, "acme/large"]
    assert few.num_train_epochs > many.num_train_epochs > 1
    small = found[700, str(base)]
    assert small.learning_rate >= 5 * many.learning_rate
    assert small.projector_learning_rate > many.projector_learning_rate


def test_the_comments_explain_the_proposal(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "x.jsonl", ["a"] * 40)
    run("init", "new", "--name", "x", "--data", str(rows))
    text = (tmp_path / "new/kolm.yaml").read_text()
    assert "few rows need many epochs" in text
    assert "as found on this machine" in text


def test_a_script_gets_the_proposal(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "x.jsonl", ["a"] * 40)
    value = json.loads(run("init", "new", "--name", "x", "--data", str(rows), "--json"))
    assert value["proposed"]["rows"] == 40
    assert value["proposed"]["metric"] == "exact_match"
    assert value["next"][0].startswith("kolm capture import")


def test_a_table_of_other_columns_with_documents_as_answers(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "x.jsonl", ['{"total": "1"}'] * 40)
    texts = [json.loads(line) for line in rows.read_text().splitlines()]
    renamed = [{"photo": row["images"][0], "answer": row["response"]} for row in texts]
    rows.write_text("".join(json.dumps(row) + "\n" for row in renamed))
    columns = [
        "--column",
        "image=photo",
        "--column",
        "response=answer",
        "--fixed",
        "prompt=Read it",
    ]
    value = json.loads(run("init", "new", "--name", "x", "--data", str(rows), *columns, "--json"))
    assert value["proposed"]["metric"] == "json_fields"
    done = run(*shlex.split(value["next"][0])[1:])
    assert "40 new pairs" in done
    with pytest.raises(InputError, match="no effect without a file"):
        run("init", "other", "--fixed", "prompt=Read it")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("capture:none", "there is no capture namespace"),
        ("capture:x@train", "init proposes the splits itself"),
        ("none.jsonl", "there is no such file"),
        ("bad.jsonl", "bad.jsonl:1"),
        ("empty.jsonl", "there are no rows"),
    ],
)
def test_what_cannot_be_looked_at_writes_nothing(tmp_path: Path, data: str, words: str) -> None:
    (tmp_path / "bad.jsonl").write_text("not json\n")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(InputError, match=words):
        run("init", "new", "--name", "x", "--data", data)
    assert not (tmp_path / "new").exists()


def test_one_picture_cannot_be_parted(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "x.jsonl", ["a"])
    run("capture", "import", str(rows), "--to", "x")
    with pytest.raises(InputError, match="cannot be parted"):
        run("init", "new", "--data", "capture:x")


def test_torch_is_not_loaded(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "x.jsonl", ["a"] * 4)
    code = (
        "import sys\n"
        f"sys.argv = ['kolm', 'init', 'new', '--name', 'x', '--data', {str(rows)!r}]\n"
        "from kolm_cli.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
