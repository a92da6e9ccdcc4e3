"""A model that is planned for: from rows and options to counts, each pair of them counted once."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from kolm_cli.encoding.encoded import IGNORE
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.families.base import Family
from kolm_cli.plan.answer import count_answered_token
from kolm_cli.plan.counts import Sizes, StepCounts, WorkByPart
from kolm_cli.plan.fit import Weights
from kolm_cli.plan.meta_model import empty_model
from kolm_cli.plan.step import CountedStep
from kolm_cli.records.row import Row
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.lora import language_linears


@dataclass
class Planned:
    """A base whose steps are counted.

    Attributes:
        config: its parsed `config.json`.
        family: its family.
        encoder: encodes rows for it.
        device: whose forms are counted.
    """

    config: Mapping[str, Any]
    family: Family
    encoder: Encoder
    device: Literal["cuda", "cpu"] = "cuda"
    _done: dict[Any, StepCounts] = field(default_factory=dict, repr=False)

    def step(
        self, train: TrainSection, rows: Sequence[Row], encoder: Encoder | None = None
    ) -> StepCounts:
        """Count a step of these rows.

        Args:
            train: how it is trained.
            rows: the rows of each micro-batch.
            encoder: encodes them otherwise than the spec says.
        """
        chosen = encoder or self.encoder
        batch = chosen.training_batch([chosen.training(row) for row in rows])
        key = train.model_dump_json(), _likeness(batch, chosen)
        if key not in self._done:
            model = self.model(train, chosen)
            counted = CountedStep(model, self.family, train, device=self.device)
            self._done[key] = counted.count(batch)
            del model, counted
            gc.collect()
        return self._done[key]

    def model(self, train: TrainSection, encoder: Encoder) -> nn.Module:
        """The base on the meta device."""
        model = empty_model(self.config, self.family, bf16=train.bf16, attention=train.attention)
        self.family.follow_processor(model, encoder.processor)
        return model

    def answered_token(self, train: TrainSection, row: Row) -> tuple[WorkByPart, Sizes]:
        """Count one answered token."""
        model = self.model(train, self.encoder)
        prompt = self.encoder.prompt(row)
        return count_answered_token(model, self.family, self.encoder, prompt, bf16=train.bf16)

    def weights(self, train: TrainSection) -> Weights:
        """What its weights are, for what shards and quantizes them."""
        model = self.model(train, self.encoder)
        modules = dict(model.named_modules())
        linears = [_nbytes(modules[name]) for name in language_linears(model, self.family)]
        layers = [
            _nbytes(layer)
            for module in modules.values()
            if isinstance(module, nn.ModuleList)
            for layer in module
        ]
        return Weights(
            linear=sum(linears),
            largest=max(linears),
            layer=max(layers, default=0),
            base=_nbytes(model),
        )


def _likeness(batch: Mapping[str, torch.Tensor], encoder: Encoder) -> tuple[Any, ...]:
    """What of a batch decides its counts: shapes, sizes, where pictures and answers are."""
    found: list[Any] = []
    for name, tensor in sorted(batch.items()):
        if name == "input_ids":
            ids = {*encoder.image_token_ids, getattr(encoder, "image_id", None)} - {None}
            tensor = torch.isin(tensor, torch.tensor(sorted(ids)))
        elif name == "labels":
            tensor = tensor != IGNORE
        values = b"" if tensor.is_floating_point() else tensor.contiguous().numpy().tobytes()
        found.append((name, tuple(tensor.shape), tensor.dtype, values))
    return tuple(found)


def _nbytes(module: nn.Module) -> int:
    return sum(parameter.nbytes for parameter in module.parameters())
