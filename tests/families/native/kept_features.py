"""Training with the towers' output kept, against training without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tests.support.cases import Case


def check_kept_features(
    case: Case, folder: Path, towers: Callable[[Any], Sequence[nn.Module]]
) -> None:
    """Each tower runs once a picture, and the trained weights are the same.

    Args:
        case: the base.
        folder: where the two trainings go.
        towers: the towers of a model.
    """
    trained, runs, count = [], [], 0
    for cached in (False, True):
        trainer = case.trainer(
            case.variety(),
            folder / f"{cached}",
            cache_vision=cached,
            num_train_epochs=2,
            per_device_train_batch_size=2,
        )
        seen: list[int] = []
        found = towers(trainer.model.get_base_model().model)
        count = len(found)
        for tower in found:
            tower.register_forward_hook(lambda *_, seen=seen: seen.append(1))
        trainer.train()
        runs.append(len(seen))
        trained.append({n: p for n, p in trainer.model.named_parameters() if p.requires_grad})
    shown = {row.conversation.images for row in case.variety() if row.images}
    assert runs[1] == count * len(shown) < runs[0]
    for name, parameter in trained[0].items():
        assert torch.allclose(parameter, trained[1][name], atol=1e-6), name
