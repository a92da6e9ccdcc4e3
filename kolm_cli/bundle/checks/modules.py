"""`modules.json` lists every parameter once, and the receipt's summary agrees with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.modules import ListedTensor, summarize
from kolm_cli.core.errors import VerificationError


def _run(case: Case) -> Outcome:
    trainable, frozen = case.modules.trainable, case.modules.frozen
    block = case.receipt.get("vlm_train")
    _agree(block, "trainable_modules", trainable)
    _agree(block, "frozen_modules", frozen)
    return Outcome(True, f"{len(trainable)} trainable and {len(frozen)} frozen tensors")


def _agree(block: Any, key: str, tensors: Sequence[ListedTensor]) -> None:
    if not isinstance(block, dict) or not isinstance(block.get(key), list):
        raise VerificationError(f"the receipt has no vlm_train.{key}")
    said = block[key]
    if not all(isinstance(item, str) for item in said) or set(said) != set(summarize(tensors)):
        raise VerificationError(
            f"the receipt's vlm_train.{key} does not summarise {layout.MODULES}"
        )


CHECK = Check("modules", _run)
