"""The saved adapter is held against the trained model, and never deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kolm_cli.core.errors import VerificationError
from kolm_cli.run.reload_check import ALIGNMENT, FILE, Probe, aligned

LOGITS = torch.randn(64, 50, generator=torch.Generator().manual_seed(0))


def saved(folder: Path, *, hardware: str = "x86_64", exact: bool = True) -> Path:
    (folder / "adapter").mkdir()
    Probe(LOGITS, hardware, exact).save(folder)
    return folder


def test_the_same_logits_pass(tmp_path: Path) -> None:
    assert Probe(LOGITS.clone(), "x86_64", exact=True).compare(saved(tmp_path)) == ""


@pytest.mark.parametrize(("exact", "change"), [(True, 1e-6), (False, 0.1)])
def test_on_the_same_hardware_others_are_refused_and_the_adapter_is_kept(
    tmp_path: Path, exact: bool, change: float
) -> None:
    folder = saved(tmp_path)
    with pytest.raises(VerificationError, match="they differ by at most") as caught:
        Probe(LOGITS + change, "x86_64", exact).compare(folder)
    assert caught.value.problems[0].where == str(folder / "adapter")
    assert (folder / "adapter").is_dir()
    assert (folder / FILE).is_file()


def test_bf16_may_round(tmp_path: Path) -> None:
    assert Probe(LOGITS + 0.01, "x86_64", exact=False).compare(saved(tmp_path)) == ""


def test_another_gpu_rounds_otherwise_and_it_is_said(tmp_path: Path) -> None:
    folder = saved(tmp_path, hardware="NVIDIA A100", exact=False)
    note = Probe(LOGITS + 0.03, "NVIDIA H100", exact=False).compare(folder)
    assert note.startswith("trained on NVIDIA A100, answering on NVIDIA H100")


def test_on_another_gpu_a_missing_part_still_shows(tmp_path: Path) -> None:
    folder = saved(tmp_path, hardware="NVIDIA A100", exact=False)
    with pytest.raises(VerificationError, match="trained on NVIDIA A100"):
        Probe(LOGITS.flip(0), "NVIDIA H100", exact=False).compare(folder)
    assert (folder / "adapter").is_dir()


def test_one_row_gives_the_same_bits_wherever_its_weights_lie() -> None:
    """The kernel for a single row, such as one image token, sums as the weights lie."""
    torch.manual_seed(0)
    row, weight = torch.randn(1, 128), torch.randn(64, 128)
    room = torch.empty(weight.numel() + 64)
    begin = (-(room.data_ptr() // 4)) % 16
    lying = []
    for offset in (0, 1, 4, 7):
        moved = room[begin + offset :][: weight.numel()].view(weight.shape).copy_(weight)
        where = moved.data_ptr()
        with aligned([moved]):
            assert moved.data_ptr() % ALIGNMENT == 0
            lying.append(torch.nn.functional.linear(row, moved))
        assert moved.data_ptr() == where
    assert all(torch.equal(lying[0], other) for other in lying)
