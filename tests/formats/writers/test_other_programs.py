"""What kolm writes is loaded by `datasets` and `trl` themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.records.conversation import Conversation
from tests.capture.helpers import Kolm, png

pytestmark = pytest.mark.slow

IMAGES = [png((i * 10, 0, 0), (56, 56)) for i in range(5)]


@pytest.fixture
def filled(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf" / "datasets"))
    with Store.open() as store:
        for i, data in enumerate(IMAGES):
            name = sha256_bytes(data)
            pair = Conversation.of(f"q{i}", f"a{i}", (name,))
            store.add("ns", pair, {name: data}, source="test")
    return tmp_path


def load(kind: str, cache: Path, **more: Any) -> Any:
    import datasets

    os.environ["HF_DATASETS_OFFLINE"] = "1"
    return datasets.load_dataset(kind, split="train", cache_dir=str(cache / "cache"), **more)


def reds(pictures: list[Any]) -> list[int]:
    return sorted(picture.convert("RGB").getpixel((0, 0))[0] for picture in pictures)


EXPECTED = [0, 10, 20, 30, 40]


def test_datasets_loads_parquet_with_images(filled: Path, kolm: Kolm) -> None:
    assert kolm("capture", "export", "ns", "o.parquet", "--format", "parquet").code == 0
    loaded = load("parquet", filled, data_files=str(filled / "o.parquet"))
    assert reds([row["images"][0] for row in loaded]) == EXPECTED
    assert loaded[0]["messages"][1]["content"][0]["text"].startswith("a")


def test_datasets_loads_an_imagefolder(filled: Path, kolm: Kolm) -> None:
    assert kolm("capture", "export", "ns", "folder", "--format", "imagefolder").code == 0
    loaded = load("imagefolder", filled, data_dir=str(filled / "folder"))
    assert reds([row["image"] for row in loaded]) == EXPECTED
    assert sorted(row["prompt"] + row["response"] for row in loaded)[0] == "q0a0"


def test_datasets_loads_an_imagefolder_of_several_images(filled: Path, kolm: Kolm) -> None:
    names = [sha256_bytes(data) for data in IMAGES[:2]]
    with Store.open() as store:
        pair = Conversation.of("both", "a", tuple(names))
        store.add("two", pair, dict(zip(names, IMAGES, strict=False)), source="test")
    assert kolm("capture", "export", "two", "folder", "--format", "imagefolder").code == 0
    loaded = load("imagefolder", filled, data_dir=str(filled / "folder"))
    assert reds(loaded[0]["images"]) == [0, 10]


def test_datasets_loads_webdataset(filled: Path, kolm: Kolm) -> None:
    assert kolm("capture", "export", "ns", "o.tar", "--format", "webdataset").code == 0
    loaded = load("webdataset", filled, data_files=str(filled / "o.tar"))
    assert reds([row["png"] for row in loaded]) == EXPECTED
    assert sorted(row["json"]["prompt"] for row in loaded)[0] == "q0"


def test_the_webdataset_library_loads_webdataset(filled: Path, kolm: Kolm) -> None:
    import webdataset

    assert kolm("capture", "export", "ns", "o.tar", "--format", "webdataset").code == 0
    samples = list(webdataset.WebDataset(str(filled / "o.tar"), shardshuffle=False).decode("pil"))
    assert reds([sample["png"] for sample in samples]) == EXPECTED
    assert samples[0]["json"]["response"].startswith("a")


@pytest.mark.parametrize(
    "format", ["rows", "trl-messages", "trl-prompt", "openai-finetune", "anthropic", "sharegpt"]
)
def test_datasets_loads_json(filled: Path, kolm: Kolm, format: str) -> None:
    assert kolm("capture", "export", "ns", "o.json", "--format", format).code == 0
    assert len(load("json", filled, data_files=str(filled / "o.json"))) == 5


def test_datasets_loads_csv(filled: Path, kolm: Kolm) -> None:
    assert kolm("capture", "export", "ns", "o.csv", "--format", "csv").code == 0
    loaded = load("csv", filled, data_files=str(filled / "o.csv"))
    assert sorted(row["response"] for row in loaded) == [f"a{i}" for i in range(5)]


def test_what_datasets_writes_is_imported(filled: Path, kolm: Kolm) -> None:
    import datasets
    from PIL import Image

    paths = []
    for i, data in enumerate(IMAGES):
        paths.append(str(filled / f"{i}.png"))
        Path(paths[-1]).write_bytes(data)
    rows = {"image": paths, "prompt": [f"q{i}" for i in range(5)], "response": ["a"] * 5}
    made = datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())
    made.to_parquet(str(filled / "made.parquet"))
    ran = kolm("capture", "import", "made.parquet", "--to", "made", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["added"] == 5
    with Store.open() as store:
        names = {i for pair in store.pairs("made") for i in pair.conversation.images}
    assert names == {sha256_bytes(data) for data in IMAGES}
    assert Image.open(paths[0]).size == (56, 56)


def test_trl_turns_an_export_into_batches(filled: Path, kolm: Kolm) -> None:
    """TRL's own collator, with a real processor: images in their places, answers supervised."""
    from transformers import AutoProcessor
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    base = Path(__file__).parents[3] / "kolm_cli" / "demo" / "base"
    if not (base / "config.json").is_file():
        pytest.fail(f"the demo's base is not where this test looks for it: {base}")
    processor = AutoProcessor.from_pretrained(base)
    for format, shape in (("trl-messages", "messages"), ("trl-prompt", "prompt")):
        out = filled / f"{format}.jsonl"
        assert kolm("capture", "export", "ns", out, "--format", format).code == 0
        loaded = load("json", filled, data_files=str(out))
        assert shape in loaded.column_names
        import datasets

        root = str(filled)
        absolute = loaded.map(lambda row: {"images": [f"{root}/{p}" for p in row["images"]]})  # noqa: B023
        rows = absolute.cast_column("images", datasets.List(datasets.Image()))
        collator = DataCollatorForVisionLanguageModeling(processor)
        batch = collator([rows[0], rows[1]])
        assert batch["pixel_values"].shape[0] > 0
        assert (batch["labels"] != -100).any()
