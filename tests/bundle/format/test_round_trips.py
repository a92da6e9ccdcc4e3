"""Every file format of a bundle reads back what it wrote, and writes one form only."""

from __future__ import annotations

import json

import pytest

from kolm_cli.bundle.format.dataset import (
    Dataset,
    DatasetFacts,
    TrainRow,
    TrainRowsReader,
    read_dataset,
    write_train_rows,
)
from kolm_cli.bundle.format.evaluation import EvaluationSettings, read_settings
from kolm_cli.bundle.format.modules import (
    PARTS,
    ListedTensor,
    ModuleLists,
    TrainableTensor,
    read_modules,
    summarize,
)
from kolm_cli.bundle.format.pack import PackRow, read_pack, write_pack
from kolm_cli.bundle.format.predictions import read_predictions, write_predictions
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import VerificationError
from kolm_cli.scoring.gate import Gate
from kolm_cli.scoring.judging import Judging
from tests.bundle import factory

A, B = "ab" * 32, "cd" * 32
PLAIN = EvaluationSettings("anls", rows=2, max_new_tokens=8, gate=Gate(k=0.5), usd_per_hour=1.5)
STRICT = EvaluationSettings(
    "relaxed_accuracy", rows=2, max_new_tokens=8, metric_options={"tolerance": 0.01}
)


@pytest.mark.parametrize("settings", [PLAIN, STRICT])
def test_evaluation(settings: EvaluationSettings) -> None:
    data = settings.to_bytes()
    assert read_settings(data) == settings
    assert read_settings(data).to_bytes() == data


def test_only_options_need_the_second_form() -> None:
    assert PLAIN.as_json()["format"] == "kolm-eval/1"
    assert "metric_options" not in PLAIN.as_json()
    assert STRICT.as_json()["format"] == "kolm-eval/2"


@pytest.mark.parametrize(
    "change",
    [
        {"format": "kolm-eval/1"},  # it has no options
        {"format": "kolm-eval/3"},
        {"format": ["kolm-eval/2"]},
        {"metric_options": {}},  # then the first form would do
        {"metric_options": None},
        {"metric_options": "tolerance"},
        {"max_new_tokens": 0},
        {"max_new_tokens": True},
        {"max_new_tokens": 1.5},
        {"rows": 0},
        {"gate": {"speed": 1}},
        {"usd_per_hour": -1},
    ],
)
def test_another_evaluation_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(VerificationError):
        read_settings(canonical_json.dumps({**STRICT.as_json(), **change}))


def test_modules() -> None:
    data = canonical_json.dumps(factory.modules_json())
    lists = read_modules(data)
    assert lists.to_bytes() == data
    assert json.loads(data) == lists.as_json()


def test_modules_are_sorted_when_written() -> None:
    first, second = (ListedTensor(name, "vision", (2, 3), "F32") for name in ("a.0", "b.1"))
    trained = TrainableTensor("c", "head", (1,), "F32", "full", "adapter/head.safetensors", "c")
    lists = ModuleLists.of([trained], [second, first])
    assert [tensor.name for tensor in lists.frozen] == ["a.0", "b.1"]
    assert read_modules(lists.to_bytes()) == lists


def test_a_summary_names_each_kind_of_layer_once() -> None:
    names = ("m.layers.0.q.weight", "m.layers.11.q.weight", "m.norm.weight")
    listed = [ListedTensor(name, "language", (1,), "F32") for name in names]
    assert summarize(listed) == ["m.layers.*.q.weight", "m.norm.weight"]


def test_the_parts_are_those_of_the_families() -> None:
    from kolm_cli.families.base import PARTS as FAMILY_PARTS

    assert set(PARTS) == set(FAMILY_PARTS)


def test_pack() -> None:
    rows = [PackRow("1", [A], ["x", "ü"]), PackRow("2", [], ["y"])]
    assert read_pack(write_pack(rows, "answers"), "answers") == rows
    closed = [PackRow("1", [A], sha256=B)]
    assert read_pack(write_pack(closed, "digests"), "digests") == closed
    with pytest.raises(VerificationError, match="line 1"):
        read_pack(write_pack(rows, "answers"), "digests")


def test_predictions() -> None:
    data = write_predictions(["2", "1", "3"], {"1": "one", "2": None})
    assert list(read_predictions(data, "p").items()) == [("2", None), ("1", "one"), ("3", None)]
    with pytest.raises(VerificationError, match="different"):
        read_predictions(data + data, "p")


def test_dataset() -> None:
    rows = [TrainRow("1", A, [B]), TrainRow("2", B, [B, A])]
    reader = TrainRowsReader()
    for byte in write_train_rows(rows):
        reader.write(memoryview(bytes([byte])))
    reader.close()
    assert reader.problem == ""
    assert (reader.facts.rows, reader.facts.images) == (2, 2)
    dataset = Dataset(reader.facts, DatasetFacts(1, 0, A))
    assert read_dataset(dataset.to_bytes()) == dataset
    with pytest.raises(VerificationError, match="count"):
        read_dataset(dataset.to_bytes().replace(b'"rows":1', b'"rows":-1'))


@pytest.mark.parametrize("weight", [1e-6, 1e-5, 0.000123, 0.5, 3.0, 1e6, 999999.5])
def test_a_weight_is_read_as_it_is_written(weight: float) -> None:
    """RFC 8785 writes small numbers in another way than Python does."""
    rows = [PackRow("a", [], ["x"], judging=Judging(weight=weight)), PackRow("b", [], ["x"])]
    written = write_pack(rows, "answers", ("weight",))
    assert [row.judging.weight for row in read_pack(written, "answers", ("weight",))] == [weight, 1]
    with pytest.raises(VerificationError):
        read_pack(written.replace(b'"weight":', b'"weight": '), "answers", ("weight",))
