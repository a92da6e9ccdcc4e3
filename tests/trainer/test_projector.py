"""The projector trains, rests or stays frozen, as it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kolm_cli.trainer.schedule import make_scheduler, parameter_groups
from tests.support.cases import Case
from tests.trainer.trained import Trained, assert_same_logits


@pytest.mark.parametrize("projector", ["train", "freeze", "freeze_after_warmup"])
def test_the_projector_does_as_it_is_told(
    pictured: Case, train: Callable[..., Trained], projector: str
) -> None:
    options = {} if projector == "freeze" else {"projector_learning_rate": 7e-5}
    if projector == "freeze_after_warmup":
        options["warmup_ratio"] = 0.5
    trained = train(pictured, projector=projector, **options, per_device_train_batch_size=1)
    moved, model = trained.moved("projector"), trained.trainer.model
    groups = parameter_groups(model, trained.trainer.partition, trained.trainer.config)
    rates = {group["lr"] for group in groups if group["part"] == "projector"}
    if projector == "freeze":
        assert not any(moved.values())
        assert rates == set()
        assert not (trained.folder / "projector.safetensors").exists()
    else:
        assert all(moved.values())
        assert rates == {7e-5}
        stored = load_file(trained.folder / "projector.safetensors")
        assert set(stored) == set(moved)
    assert_same_logits(trained)


def test_after_warm_up_only_the_projector_rests(new_case: Callable[..., Case]) -> None:
    case = new_case("llava_next")
    trainer = case.trainer(
        case.variety(), Path("unused"), projector="freeze_after_warmup", warmup_ratio=0.3
    )
    groups = parameter_groups(trainer.model, trainer.partition, trainer.config)
    optimizer = torch.optim.AdamW(groups)
    scheduler = make_scheduler(optimizer, trainer.config, warmup=3, total=10)
    seen = []
    for _ in range(10):
        seen.append({group["part"]: group["lr"] for group in optimizer.param_groups})
        optimizer.step()
        scheduler.step()
    assert [step["projector"] > 0 for step in seen] == [True] * 3 + [False] * 7
    assert all(step["language"] > 0 for step in seen)
