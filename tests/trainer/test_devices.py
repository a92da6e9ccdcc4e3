"""Determinism is asked for in earnest, and where there is none, it is said."""

from __future__ import annotations

import pytest
import torch

from kolm_cli.trainer.devices import Determinism


def without_deterministic_form() -> float:
    return float(torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0])).sum())


def test_a_deterministic_run_is_asked_for_in_earnest_and_undone_afterwards() -> None:
    """With warn_only, flash attention would take its other backward."""
    determinism, notes = Determinism("cuda"), list[str]()

    def look() -> tuple[bool, bool, bool]:
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,
        )

    before = look()
    assert determinism.run(look, notes.append) == (True, False, False)
    assert look() == before
    assert (determinism.promised, notes) == (True, [])


@pytest.mark.filterwarnings("ignore:put_ does not have")
def test_an_operation_without_such_a_form_is_named_and_the_work_done_again() -> None:
    determinism, notes = Determinism("cuda"), list[str]()
    assert determinism.run(without_deterministic_form, notes.append) == 1.0
    assert determinism.without == ["put_"]
    assert not determinism.promised
    assert "put_ has no deterministic form" in notes[0]
    assert "need not give the same CID" in notes[0]
    # From here on nobody is surprised again.
    assert determinism.run(without_deterministic_form, notes.append) == 1.0
    assert len(notes) == 1


def test_other_faults_are_not_taken_for_it() -> None:
    def fault() -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        Determinism("cuda").run(fault, print)


def test_a_cpu_is_not_asked() -> None:
    determinism = Determinism("cpu")
    assert determinism.run(without_deterministic_form, print) == 1.0
    assert determinism.promised
