"""`cache_vision`: the frozen tower runs once an image, the projector at every step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from peft import PeftModel

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.encoding.encoded import Encoded
from kolm_cli.encoding.refusals import naming
from kolm_cli.families.base import Family
from kolm_cli.families.vision_features import VisionFeatures
from kolm_cli.records.row import Row

KEY = "vision_features"
# Images beyond this are encoded again at each use, as they would be without a cache.
CACHE_BYTES = 4 << 30


class FeatureCache:
    """Replaces pixels by the tower's output in encoded rows, and feeds it to the model.

    Raises:
        InputError: the family's tower cannot be run apart from its projector.
    """

    def __init__(self, model: PeftModel, family: Family, *, bf16: bool) -> None:
        if family.vision_features is None:
            raise InputError(
                Problem(
                    f"{family.name} cannot keep its tower's output",
                    where="train.cache_vision",
                    fix="remove it",
                )
            )
        self._features: VisionFeatures = family.vision_features
        self._model, self._bf16 = model, bf16
        self._kept: dict[tuple[str, ...], dict[str, torch.Tensor]] = {}
        self._room = CACHE_BYTES
        model.register_forward_pre_hook(self._feed, with_kwargs=True)

    def wrap(self, encode: Callable[[Row], Encoded]) -> Callable[[Row], Encoded]:
        """`encode`, with the tower's output in place of the pixels."""

        def encode_with_features(row: Row) -> Encoded:
            encoded = encode(row)
            if "pixel_values" not in encoded.images:
                return encoded
            shown = row.conversation.images
            images = self._kept.get(shown)
            if images is None:
                with naming([row.id]):
                    images = self._run_tower(encoded.images)
                size = sum(tensor.nbytes for tensor in images.values())
                if size <= self._room:
                    self._room -= size
                    self._kept[shown] = images
            return replace(encoded, images=images)

        return encode_with_features

    @torch.no_grad()
    def _run_tower(self, images: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        base = self._model.get_base_model()
        device = next(base.parameters()).device
        precision = (
            torch.autocast(device.type, dtype=torch.bfloat16)
            if self._bf16
            else contextlib.nullcontext()
        )
        with precision:
            moved = {key: value.to(device) for key, value in images.items()}
            output = self._features.encode(base, moved)
        rest = {key: value for key, value in images.items() if key != "pixel_values"}
        return {KEY: output.cpu(), **rest}

    def _feed(
        self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Before each forward pass: what was kept, in place of pixels."""
        kept = kwargs.pop(KEY, None)
        if kept is not None:
            base = self._model.get_base_model()
            kwargs |= self._features.feed(base, kept, kwargs)
        return args, kwargs
