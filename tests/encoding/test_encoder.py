"""The encoder travels to data workers, and gives there what it gives here."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import torch
from torch.utils.data import DataLoader

from kolm_cli.trainer.encoded_rows import EncodedRows
from tests.support.cases import Case


def test_it_holds_what_encoding_needs_and_nothing_else(new_case: Callable[..., Case]) -> None:
    case = new_case("qwen2_5_vl")
    holds = {"family", "processor", "limits", "loss_on", "renderer", "vocabulary"}
    assert set(vars(case.encoder())) == holds


def test_a_copy_from_another_process_encodes_the_same(new_case: Callable[..., Case]) -> None:
    case = new_case("qwen2_5_vl")
    encoder, row = case.encoder(), case.row(("What?", "This."))
    here = encoder.training(row)
    there = pickle.loads(pickle.dumps(encoder)).training(row)  # noqa: S301 - our own
    assert here.sequence.keys() == there.sequence.keys()
    for name, tensor in here.images.items():
        assert torch.equal(tensor, there.images[name]), name


def test_data_workers_that_are_not_forked_get_it(new_case: Callable[..., Case]) -> None:
    """Python 3.14 no longer forks: everything that a worker needs must travel."""
    case = new_case("qwen2_5_vl")
    encoder = case.encoder()
    rows = [case.row((f"What is {n}?", "This.")) for n in range(2)]
    loader = DataLoader(
        EncodedRows(rows, encoder.training),
        batch_size=2,
        num_workers=1,
        multiprocessing_context="spawn",
        collate_fn=encoder.training_batch,
    )
    [batch] = list(loader)
    expected = encoder.training_batch([encoder.training(row) for row in rows])
    assert batch.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(batch[name], tensor), name
