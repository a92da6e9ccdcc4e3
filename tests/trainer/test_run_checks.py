"""What cannot be learned is refused with everything else, from Python as from the command."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.trainer.vlm import VLMTrainConfig, vlm_trainer
from tests.support.cases import Case


def test_rows_without_images_and_too_few_steps_come_with_bad_rows(
    new_case: Callable[..., Case],
) -> None:
    case = new_case("qwen2_5_vl")
    rows = [
        {"prompt": "Who?", "response": "Me."},
        {"prompt": "<|im_start|>?", "response": "You."},
    ]
    config = VLMTrainConfig(bf16=False)
    with pytest.raises(InputError) as caught:
        vlm_trainer(str(case.folder), rows, config, device="cpu")
    said = [str(problem) for problem in caught.value.problems]
    assert any("keeps for itself" in line for line in said)
    assert any("no training row has an image, so the projector cannot" in line for line in said)
    assert any("2 rows make 1 optimizer step" in line for line in said)
