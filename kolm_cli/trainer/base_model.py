"""Loading a base so that nothing is silently missing from it."""

from __future__ import annotations

import torch
from torch import nn

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.families.resolve import Base


def load_base(base: Base, *, bf16: bool) -> nn.Module:
    """The base on the CPU, in bf16 or fp32.

    Raises:
        InputError: the checkpoint lacks tensors that the model needs, or has some that it does
            not know: transformers would only warn, and train what it initialised at random.
    """
    model, info = base.family.load_model(
        base.source, dtype=torch.bfloat16 if bf16 else torch.float32, **base.load_options()
    )
    problems = [
        Problem(f"{kind.replace('_', ' ')}: {key}", where=f"base.model {base.name}")
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
        for key in sorted(map(str, info.get(kind, ())))
    ]
    if problems:
        raise InputError(
            *problems[:20],
            hint=f"{len(problems)} keys of the checkpoint and the model disagree; check that the"
            " checkpoint belongs to this architecture",
        )
    loaded: nn.Module = model
    return loaded
