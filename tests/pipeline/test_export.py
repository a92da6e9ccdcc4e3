"""`kolm export` and `kolm verify --export`, on a bundle that was really compiled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kolm_cli.export.catalog import names
from tests.support.jobs import Compiled, Job


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("to", ["merged", "peft", "vllm"])
def test_an_export_is_what_the_bundle_gives(to: str, compiled: Compiled, tmp_path: Path) -> None:
    out = tmp_path / "exports" / to
    done = compiled.job.kolm("export", compiled.bundle, out, "--to", to, "--json")
    assert done.code == 0, done.err
    assert left(out.parent) == {to}
    said = json.loads((out / "kolm-export.json").read_bytes())
    assert (said["cid"], said["to"], said["dtype"]) == (compiled.report["cid"], to, "float32")
    assert (done.json["cid"], done.json["serve"]) == (said["cid"], said["serve"])
    same = compiled.job.kolm("verify", compiled.bundle, "--export", out, "--json")
    assert same.code == 0, same.out + same.err
    assert same.json["export"]["same"] is True
    assert same.json["export"]["digest"] == done.json["digest"]


@pytest.mark.slow
def test_an_adapter_for_llama_cpp_is_what_the_bundle_gives(
    new_job: Callable[..., Job], tmp_path: Path
) -> None:
    job = new_job(train={"projector": "freeze", "num_train_epochs": 1})
    bundle = job.kolm("compile", "spec.yaml", "--json").json["bundle"]
    out = tmp_path / "lora"
    done = job.kolm("export", bundle, out, "--to", "gguf-lora", "--json")
    assert done.code == 0, done.err
    assert left(out) == {
        *("adapter-f32.gguf", "chat_template.jinja", "README.md", "kolm-export.json")
    }
    same = job.kolm("verify", bundle, "--export", out, "--json")
    assert same.code == 0, same.out + same.err
    assert same.json["export"]["digest"] == done.json["digest"]


def test_an_adapter_for_llama_cpp_without_the_projector_is_refused(
    compiled: Compiled, tmp_path: Path
) -> None:
    out = tmp_path / "lora"
    done = compiled.job.kolm("export", compiled.bundle, out, "--to", "gguf-lora")
    assert done.code == 2
    assert "its projector was trained too" in done.err
    assert "export --to gguf," in done.err
    assert not out.exists()


def test_a_folder_that_was_changed_is_no_export_of_the_bundle(
    compiled: Compiled, tmp_path: Path
) -> None:
    out = tmp_path / "merged"
    assert compiled.job.kolm("export", compiled.bundle, out, "--to", "merged").code == 0
    weights = out / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    (out / "generation_config.json").unlink()
    (out / "modeling.py").write_text("")
    done = compiled.job.kolm("verify", compiled.bundle, "--export", out, "--json")
    assert done.code == 4
    assert done.json["state"] == "trusted"
    assert done.json["export"]["differ"] == ["model.safetensors"]
    assert done.json["export"]["missing"] == ["generation_config.json"]
    assert done.json["export"]["unknown"] == ["modeling.py"]
    # Digests that were made to fit say nothing of what the bundle gives.
    manifest = json.loads((out / "kolm-export.json").read_bytes())
    manifest["cid"] = "bafkreib" + "a" * 51
    (out / "kolm-export.json").write_text(json.dumps(manifest, sort_keys=True, indent=None))
    other = compiled.job.kolm("verify", compiled.bundle, "--export", out)
    assert other.code == 4


def test_a_place_that_is_taken_is_left_alone(compiled: Compiled, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export = ("export", compiled.bundle, out, "--to", "peft")
    assert compiled.job.kolm(*export).code == 0
    before = (out / "kolm-export.json").read_bytes()
    again = compiled.job.kolm(*export)
    assert again.code == 2
    assert "--force" in again.err
    (out / "stray").touch()
    forced = compiled.job.kolm(*export, "--force")
    assert forced.code == 0, forced.err
    assert not (out / "stray").exists()
    assert (out / "kolm-export.json").read_bytes() == before

    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    refused = compiled.job.kolm("export", compiled.bundle, mine, "--to", "peft", "--force")
    assert refused.code == 2
    assert left(mine) == {"letter.txt"}
    assert left(tmp_path) >= {"out", "mine"}
    assert not [name for name in left(tmp_path) if name.startswith(".")]


def test_nothing_is_left_of_an_export_that_failed(
    compiled: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kolm_cli.export import weights

    out = tmp_path / "exports" / "out"
    (tmp_path / "exports").mkdir()

    def interrupt(*arguments: object, **options: object) -> None:
        assert left(out.parent), "it was begun"
        raise KeyboardInterrupt

    monkeypatch.setattr(weights, "save_file", interrupt)
    done = compiled.job.kolm("export", compiled.bundle, out, "--to", "merged")
    assert done.code == 130
    assert left(out.parent) == set()


def test_what_is_asked_for_in_vain_is_refused_before_work(
    compiled: Compiled, tmp_path: Path
) -> None:
    def refused(*options: str) -> str:
        done = compiled.job.kolm("export", compiled.bundle, tmp_path / "out", *options)
        assert done.code == 2
        return str(done.err)

    assert "did you mean merged?" in refused("--to", "merge")
    assert all(name in refused("--to", "pickle") for name in names())
    assert "has no effect with --to peft" in refused("--to", "peft", "--dtype", "float16")
    assert "float32, bfloat16, float16" in refused("--to", "merged", "--dtype", "int8")
    base = compiled.job.kolm("verify", compiled.bundle, "--base", "base")
    assert base.code == 2


def test_the_help_names_every_format(compiled: Compiled) -> None:
    # A narrow terminal breaks a line after a hyphen.
    said = "".join(compiled.job.kolm("export", "--help").out.split())
    assert all(name in said for name in names())


def test_a_bundle_must_be_trusted(compiled: Compiled, tmp_path: Path) -> None:
    export = ("export", compiled.bundle, tmp_path / "out", "--to", "peft")
    elsewhere = {"KOLM_HOME": str(tmp_path / "empty")}
    base = ("--base", compiled.job.folder / "base")
    refused = compiled.job.kolm(*export, *base, **elsewhere)
    assert refused.code == 4
    assert not (tmp_path / "out").exists()
    taken = compiled.job.kolm(*export, *base, "--allow-untrusted", **elsewhere)
    assert taken.code == 0, taken.err
    assert "WARNING: not trusted" in taken.err


def test_a_bundle_of_the_registry_is_exported_by_its_name(
    own_compiled: Compiled, tmp_path: Path
) -> None:
    job, cid = own_compiled.job, own_compiled.report["cid"]
    shutil.rmtree(own_compiled.bundle.parent)
    for number, name in enumerate(("tiny", "tiny:latest", cid[:12])):
        out = tmp_path / str(number)
        done = job.kolm("export", name, out, "--to", "peft", "--json")
        assert done.code == 0, done.err
        assert done.json["cid"] == cid
