"""A spec that is right, to make wrong in one place at a time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kolm_cli.core.errors import InputError

GOOD = """\
kolm: 1
name: chart-qa
base:
  model: Qwen/Qwen2.5-VL-3B-Instruct
data:
  train: capture:chart-qa
  eval: evals/chart-qa.jsonl
train:
  learning_rate: 1e-4
  projector: train
launch:
  device: cpu
evaluate:
  metric: relaxed_accuracy
  usd_per_hour: 1.80
  gate: {k: 0.70, accuracy: 0.80}
"""


def problems(path: Path, load: Callable[..., object], **options: object) -> list[str]:
    """Each problem of the spec at `path` on a line, without the folder."""
    with pytest.raises(InputError) as caught:
        load(path, **options)
    return [str(p).replace(f"{path.parent}", "DIR") for p in caught.value.problems]
