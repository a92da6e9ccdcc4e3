"""Using a bundle: plain peft loads it, `kolm eval` repeats it, `kolm run` answers."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from tests.support.jobs import Compiled


@pytest.fixture(scope="module")
def unzipped(compiled: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unzipped")
    with zipfile.ZipFile(compiled.bundle) as archive:
        archive.extractall(folder)  # our own bundle
    return folder


def test_what_kolm_run_uses_is_what_the_export_gives(
    compiled: Compiled, unzipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, and by plain PEFT up to rounding."""
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoModelForImageTextToText

    from kolm_cli.core.progress import Silent
    from kolm_cli.pipeline.bundle_use import answerer_for
    from kolm_cli.pipeline.evaluate import find_pack

    monkeypatch.setenv("KOLM_HOME", str(compiled.job.home))
    threads = torch.get_num_threads()
    with answerer_for(compiled.bundle, base=None, device=None, progress=Silent()) as (
        files,
        answerer,
    ):
        row = find_pack(files)[0]
        expected = answerer.logits(answerer.encode(row))
        batch = answerer.encoder.batch([answerer.encode(row)], side="left")
    base = AutoModelForImageTextToText.from_pretrained(
        compiled.job.folder / "base", dtype=torch.float32
    )
    model = PeftModel.from_pretrained(base, str(unzipped / "adapter")).eval()
    with torch.no_grad():
        without_projector = model(**batch).logits[0]
        projector = load_file(unzipped / "adapter" / "projector.safetensors")
        missing, unexpected = model.get_base_model().load_state_dict(projector, strict=False)
        assert not unexpected
        assert not set(projector) & set(missing)
        logits = model(**batch).logits[0]
        done = compiled.job.kolm("export", compiled.bundle, tmp_path / "merged", "--to", "merged")
        assert done.code == 0, done.err
        merged = AutoModelForImageTextToText.from_pretrained(
            tmp_path / "merged", dtype="auto"
        ).eval()
        exported = merged(**batch).logits[0]
    torch.set_num_threads(threads)
    assert torch.equal(exported, expected)
    assert torch.allclose(logits, expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(without_projector, expected, atol=1e-4), "the projector must matter"


def test_eval_repeats_what_the_bundle_says(compiled: Compiled) -> None:
    done = compiled.job.kolm("eval", compiled.bundle, "--json")
    assert done.code == 0, done.err
    assert done.json["predictions_as_in_bundle"] is True
    assert done.json["accuracy"] == pytest.approx(compiled.report["k_score"]["axes"]["A"], abs=1e-4)
    assert done.json["cid"] == compiled.report["cid"]


def test_eval_without_the_pack_asks_for_it(compiled: Compiled, tmp_path: Path) -> None:
    done = compiled.job.kolm(
        "eval",
        compiled.bundle,
        "--base",
        compiled.job.folder / "base",
        "--trust",
        compiled.job.home / "trust.toml",
        KOLM_HOME=str(tmp_path / "empty"),
    )
    assert done.code == 2
    assert "--pack" in done.err
    given = compiled.job.kolm(
        "eval",
        compiled.bundle,
        "--pack",
        "eval.jsonl",
        "--base",
        compiled.job.folder / "base",
        "--allow-untrusted",
        "--json",
        KOLM_HOME=str(tmp_path / "empty"),
    )
    assert given.code == 0, given.err
    assert given.json["rows"] == 6
    assert "WARNING: not trusted (0 of 1 trusted signatures" in given.err


def test_a_pack_of_training_images_is_said_to_be_one(compiled: Compiled) -> None:
    done = compiled.job.kolm("eval", compiled.bundle, "--pack", "train.jsonl", "--json")
    assert done.code == 0, done.err
    assert "16 of 16 rows show images that the bundle was trained on" in done.err


def test_run_answers_one_question(compiled: Compiled) -> None:
    image = next((compiled.job.folder / "images").glob("*.png"))
    done = compiled.job.kolm(
        "run", compiled.bundle, "--image", image, "--prompt", "hue 1?", "--json"
    )
    assert done.code == 0, done.err
    assert set(done.json) == {"cid", "response", "finish"}


def test_run_refuses_what_it_cannot_read(compiled: Compiled, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n truncated")
    done = compiled.job.kolm(
        "run", compiled.bundle, "--image", bad, "--image", "missing.png", "--prompt", " "
    )
    assert done.code == 2
    for word in ("bad.png", "missing.png"):
        assert word in done.err


def test_a_base_with_other_weights_is_refused(compiled: Compiled, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(compiled.job.folder / "base", other)
    weights = other / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    done = compiled.job.kolm(
        "run", compiled.bundle, "--base", other, "--prompt", "hue 1?", "--json"
    )
    assert done.code == 4
    assert "weights" in done.err
