"""From a loaded base to a model that is ready to train: frozen, with LoRA, checkpointed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers.trainer_utils import set_seed

from kolm_cli.families.base import Family, PartName
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.base_model import without_kv_cache
from kolm_cli.trainer.evidence import count_parameters
from kolm_cli.trainer.freeze import isolate_vision, set_trainable
from kolm_cli.trainer.lora import attach, leaf_names
from kolm_cli.trainer.partition import Partition


@dataclass(frozen=True)
class Prepared:
    """A model ready to train.

    Attributes:
        model: the base, wrapped by PEFT.
        partition: the part of every parameter.
        lora_targets: the leaf names that LoRA adapts.
        before: parameters of each part before LoRA was attached.
    """

    model: PeftModel
    partition: Partition
    lora_targets: tuple[str, ...]
    before: dict[PartName, int]


def prepare(
    model: nn.Module, family: Family, config: TrainSection, *, device: Literal["cuda", "cpu"]
) -> Prepared:
    """Attach LoRA and freeze, as `config` says; all lists are read from the model after this."""
    before = {
        part: counts["parameters"]
        for part, counts in count_parameters(model, Partition.of(family, model)).items()
    }
    targets = leaf_names(model, family, config.lora_targets)
    if config.freeze_vision:
        isolate_vision(model, family)
    set_seed(config.seed)
    wrapped = attach(
        model,
        family,
        targets=config.lora_targets,
        r=config.lora_r,
        alpha=config.lora_alpha,
        dropout=config.lora_dropout,
        more=config.other_ranks(),
    )
    partition = Partition.of(family, wrapped)
    set_trainable(
        wrapped,
        partition,
        projector=config.projector not in ("freeze", "lora"),
        vision=not config.freeze_vision and config.vision != "lora",
        never_used=family.never_used(wrapped),
    )
    if config.gradient_checkpointing:
        # The hook that makes inputs require gradients would reach into the frozen tower.
        wrapped.gradient_checkpointing_enable({"use_reentrant": False})
        wrapped.disable_input_require_grads()
    without_kv_cache(wrapped)
    if config.bf16 and device == "cuda":
        _keep_inputs_narrow(wrapped)
    return Prepared(wrapped, partition, targets, before)


def _keep_inputs_narrow(model: nn.Module) -> None:
    """Keep PEFT from widening the input of each adapter to fp32, which autocast then narrows again.

    Both write every activation once more. The values stay the same, since a widened bf16 number is
    still that number; but dropout would draw other random numbers on a CPU, where its scale is
    rounded to bf16 as well, so that runs there would end with other weights than before.
    """
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.cast_input_dtype_enabled = False
