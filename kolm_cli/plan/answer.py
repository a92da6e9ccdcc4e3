"""One answered token on the meta device, counted: the real `generate`, a token longer."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from torch import nn

from kolm_cli.answering.answerer import Answerer
from kolm_cli.encoding.encoded import Encoded
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.families.base import Family
from kolm_cli.plan.counts import Sizes, WorkByPart
from kolm_cli.plan.follow import Follower
from kolm_cli.plan.gpu_forms import GpuForms, plain_positions
from kolm_cli.plan.where import Where


class _MetaAnswerer(Answerer):
    """Answers under what stands for CUDA's autocast."""

    forms: GpuForms

    def precision(self) -> AbstractContextManager[Any]:
        """Casts as autocast does."""
        return self.forms.casting()


def count_answered_token(
    model: nn.Module, family: Family, encoder: Encoder, prompt: Encoded, *, bf16: bool
) -> tuple[WorkByPart, Sizes]:
    """What one more token of an answer costs.

    Adapters are merged into the weights before they answer, so it is the base's own work.

    Args:
        model: the base, made by `empty_model`.
        family: its family.
        encoder: encodes prompts.
        prompt: what is answered.
        bf16: whether the run has bf16.
    """
    follower, forms = Follower(Where()), GpuForms(bf16=bf16)
    answerer = _MetaAnswerer(model, encoder, device="meta", bf16=bf16, max_new_tokens=3)
    answerer.forms = forms
    ends = set(answerer.generation.eos_token_id)
    follower.answers = next(token for token in range(len(ends) + 1) if token not in ends)
    seen: list[tuple[WorkByPart, Sizes]] = []
    begins = model.register_forward_pre_hook(
        lambda *_: seen.append((follower.work.copy(), follower.sizes.copy()))
    )
    with (
        follower.where.watching(model, family),
        plain_positions(model, forms),
        follower,
        forms,
        follower.where.phase("loop"),
    ):
        answerer.answer([prompt])
    begins.remove()
    # The prompt, a token, and another one: from where the second begins to where the third does.
    _, (before, few), (after, more) = seen
    return after.less(before), more - few
