"""The saved adapter is held against the trained model, and never deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kolm_cli.core.errors import VerificationError
from kolm_cli.run.reload_check import FILE, Probe

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
