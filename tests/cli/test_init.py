"""`kolm init` writes a spec that is right but for the data that only the user has."""

import json
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

runner = CliRunner()


def complaints(path: Path) -> list[str]:
    try:
        load_spec(path, metrics=names())
    except InputError as error:
        return [problem.what for problem in error.problems]
    return []


def init(*arguments: str) -> Path:
    result = runner.invoke(build_app(), ["init", *arguments])
    assert result.exit_code == 0, result.output
    return Path(result.stdout.strip())


def test_it_lacks_nothing_but_the_pairs(tmp_path: Path) -> None:
    path = init(str(tmp_path / "Chart QA"))
    assert path == tmp_path / "Chart QA/kolm.yaml"
    assert complaints(path) == []
    loaded = load_spec(path, metrics=names())
    assert loaded.spec.name == "chart-qa"
    assert loaded.spec.base.model == "Qwen/Qwen2.5-VL-3B-Instruct"


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_what_it_writes_out_are_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    """On this machine's device, where bfloat16 is for GPUs only."""
    monkeypatch.setattr("kolm_cli.dataset.proposal.found_device", lambda: device)
    path = init(str(tmp_path), "--name", "x")
    spec = load_spec(path).spec
    evaluate = {"metric": "relaxed_accuracy", "gate": {"accuracy": 0.8}}
    least = {
        "kolm": 1,
        "name": "x",
        "base": {"model": "Qwen/Qwen2.5-VL-3B-Instruct"},
        "data": {"train": "capture:x@train", "eval": "capture:x@eval"},
        "evaluate": evaluate,
        "launch": {"device": device},
        "train": {"bf16": device == "cuda"},
    }
    assert spec == Spec.model_validate(least)


def test_the_comments_can_be_taken_off(tmp_path: Path) -> None:
    path = init(str(tmp_path), "--name", "x")
    text = path.read_text()
    for option in ("revision", "max_images_per_example", "usd_per_hour", "during", "k"):
        assert f"# {option}:" in text
        text = text.replace(f"# {option}:", f"{option}:")
    path.write_text(text)
    assert complaints(path) == []


@pytest.mark.parametrize("name", ["1e5", "true", "2024", "2024-01-02", "null", "a" * 64])
def test_names_that_yaml_takes_for_something_else(tmp_path: Path, name: str) -> None:
    path = init(str(tmp_path), "--name", name)
    assert complaints(path) == []


@pytest.mark.parametrize("model", ["gpt2", "a/b: c # d", '"quoted"', "org/1e5", "[x]"])
def test_a_model_is_written_as_it_was_said(tmp_path: Path, model: str) -> None:
    from kolm_cli.core.yaml_positions import parse

    path = init(str(tmp_path), "--name", "x", "--model", model)
    assert parse(path.read_bytes(), "x").value["base"]["model"] == model


def test_a_local_model_is_found_from_the_specs_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base").mkdir()
    monkeypatch.chdir(tmp_path)
    path = init("deep/er", "--name", "x", "--model", "base")
    assert complaints(path) == []
    assert "model: ../../base" in path.read_text()


def test_it_never_overwrites(tmp_path: Path) -> None:
    path = init(str(tmp_path))
    path.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        runner.invoke(build_app(), ["init", str(tmp_path)], catch_exceptions=False)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("option", [("--name", "Bad Name"), ("--model", " "), ("--model", "a\nb")])
def test_a_wrong_option_writes_nothing(tmp_path: Path, option: tuple[str, str]) -> None:
    with pytest.raises(InputError, match=option[0]):
        runner.invoke(build_app(), ["init", str(tmp_path), *option], catch_exceptions=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="is not a folder"):
        runner.invoke(build_app(), ["init", str(tmp_path / "x")], catch_exceptions=False)


def test_json(tmp_path: Path) -> None:
    result = runner.invoke(build_app(), ["init", str(tmp_path), "--name", "x", "--json"])
    value = json.loads(result.stdout)
    assert value["spec"] == str(tmp_path / "kolm.yaml")
    assert value["name"] == "x"
    assert any(step.startswith("kolm compile") for step in value["next"])


def test_a_person_is_told_what_to_do_next(tmp_path: Path) -> None:
    result = runner.invoke(build_app(), ["init", str(tmp_path), "--name", "x"])
    assert f"kolm compile {tmp_path / 'kolm.yaml'}" in result.stderr


def test_exit_codes_of_the_real_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kolm_cli.cli.app", "init", str(tmp_path), "--json"]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (first.returncode, second.returncode) == (0, 2)
    assert json.loads(second.stdout)["error"]["exit_code"] == 2
    assert "error: " in second.stderr
