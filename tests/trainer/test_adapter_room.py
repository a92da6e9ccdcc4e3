"""No adapter makes a loader take more room than its own file has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from kolm_cli.core.errors import VerificationError
from kolm_cli.families.catalog import by_name
from kolm_cli.trainer.adapter_files import load_adapter

LAYER = "base_model.model.model.layers.0.q_proj"


class Base(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = nn.ModuleDict({"layers": nn.ModuleList([nn.ModuleDict()])})
        self.model["layers"][0]["q_proj"] = nn.Linear(8, 8)  # type: ignore[index]
        self.model["layers"][0]["k_proj"] = nn.Linear(8, 8)  # type: ignore[index]


@pytest.mark.parametrize(
    ("rank", "targets", "shapes", "words"),
    [
        (10**9, "q_proj", {"lora_A": (2, 8), "lora_B": (8, 2)}, "of another shape"),
        (10**9, "k_proj", {}, "missing"),
        (2, "[qk]_proj", {"lora_A": (2, 8), "lora_B": (8, 2)}, "missing"),
        (2, "x_proj", {"lora_A": (2, 8), "lora_B": (8, 2)}, "unexpected"),
        (4096, "q_proj", {"lora_A": (4096, 1), "lora_B": (1, 4096)}, "of another shape"),
    ],
)
def test_the_file_has_to_hold_what_the_configuration_asks_for(
    rank: int, targets: str, shapes: dict[str, tuple[int, int]], words: str, tmp_path: Path
) -> None:
    config = {"r": rank, "peft_type": "LORA", "target_modules": rf"model\..*{targets}"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    tensors = {f"{LAYER}.{name}.weight": torch.zeros(shape) for name, shape in shapes.items()}
    save_file(tensors, tmp_path / "adapter_model.safetensors", metadata={"format": "pt"})
    family = by_name("text")
    assert family is not None
    with pytest.raises(VerificationError, match=f"do not fit the base: .*{words} .'"):
        load_adapter(Base(), family, tmp_path)
