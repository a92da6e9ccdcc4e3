"""Adapters are put on one base and taken off it again, and nothing of them stays."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kolm_cli.core.errors import VerificationError
from kolm_cli.serving.shelf import Shelf
from kolm_cli.trainer.merged import Trained, Update


def make() -> tuple[Shelf, nn.Sequential, list[torch.Tensor]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    shelf = Shelf(model, torch.float32)
    shelf.add("a", Trained({"0.weight": Update(torch.ones(1, 3), torch.ones(3, 1), 2.0)}, {}))
    shelf.add("b", Trained({}, {"1.bias": torch.full((2,), 7.0), "0.weight": torch.zeros(3, 3)}))
    return shelf, model, before


def test_each_answers_as_its_own_and_the_base_as_itself() -> None:
    shelf, model, before = make()
    question = torch.ones(1, 3)
    with shelf.showing("") as base:
        plain = base(question)
    for name in ("a", "b", "a", "", "b", ""):
        with shelf.showing(name):
            weight, bias = model[0].weight, model[1].bias
            assert torch.equal(
                weight, {"a": before[0] + 2, "b": before[0] * 0}.get(name, before[0])
            )
            assert torch.equal(bias, torch.full((2,), 7.0) if name == "b" else before[3])
    with shelf.showing("") as base:
        assert torch.equal(base(question), plain)
    assert all(map(torch.equal, model.parameters(), before))


def test_what_has_no_place_is_refused() -> None:
    shelf, _, _ = make()
    with pytest.raises(VerificationError, match=r"the base has no 9\.weight"):
        shelf.add("c", Trained({}, {"9.weight": torch.zeros(1)}))


def test_after_a_failure_the_base_is_whole() -> None:
    shelf, model, before = make()
    shelf.add("c", Trained({}, {"0.bias": torch.ones(3), "1.weight": torch.zeros(9)}))
    with pytest.raises(VerificationError), shelf.showing("c"):
        pass
    with shelf.showing(""):
        assert all(map(torch.equal, model.parameters(), before))
