"""The section `train`: how the adapter is trained. `VLMTrainConfig` is this class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from kolm_cli.spec.section import Conflict, Section, custom_error

Count = Annotated[int, Field(ge=1, lt=2**31)]
Rate = Annotated[float, Field(gt=0)]


def _targets(value: Any) -> Any:
    """Check `lora_targets` by hand: a union's own errors would speak of three types at once."""
    if value in ("default", "all-linear"):
        return value
    names = list(value) if isinstance(value, list | tuple) else []
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise custom_error(
            f"{value!r:.60} is no choice of LoRA targets",
            "write default, all-linear, or a list of module names such as [q_proj, v_proj]",
        )
    if len(set(names)) < len(names):
        raise custom_error("a module is named twice", "name each target once")
    return tuple(names)


# What tells of a training and decides nothing in it: no part of a digest, a receipt or a bundle.
TOLD_ONLY = frozenset({"report_to"})
TRACKERS = ("tensorboard", "wandb", "mlflow", "trackio")


def _trackers(value: Any) -> Any:
    """One name, or a list of them."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(name in TRACKERS for name in names):
        raise custom_error(f"{value!r:.60} is no tracker", f"write some of {', '.join(TRACKERS)}")
    if len(set(names)) < len(names):
        raise custom_error("a tracker is named twice", "name each once")
    return tuple(names)


class TrainSection(Section):
    """How to train: LoRA on the language tower, and what else learns.

    Learning rates are per optimizer step; `*_steps` count optimizer steps; `max_seq_length`
    counts tokens, image tokens included.

    Raises:
        pydantic.ValidationError: (a `ValueError`) names every unknown option with the likely
            one, every value out of range, and every option that could not take effect.
    """

    younger: ClassVar[frozenset[str]] = frozenset(
        {"loss_on", "projector_lora_r", "report_to", "vision", "vision_lora_r"}
    )

    lora_r: Count = 16
    lora_alpha: Count = 32
    lora_targets: Annotated[
        Literal["default", "all-linear"] | tuple[str, ...], BeforeValidator(_targets)
    ] = "default"
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    freeze_vision: bool = True
    vision: Literal["lora"] | None = None
    vision_lora_r: Count | None = None
    vision_learning_rate: Rate | None = None
    cache_vision: bool = False
    projector: Literal["train", "lora", "freeze", "freeze_after_warmup"] = "train"
    projector_lora_r: Count | None = None
    projector_learning_rate: Rate = 2.0e-5
    learning_rate: Rate = 1.0e-4
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.03
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(ge=0)] = 1.0
    max_seq_length: Count = 2048
    loss_on: Literal["all", "last"] = "all"
    num_train_epochs: Count = 1
    per_device_train_batch_size: Count = 1
    gradient_accumulation_steps: Count = 8
    gradient_checkpointing: bool = False
    save_steps: Count = 200
    bf16: bool = True
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2", "flash_attention_3"] = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    report_to: Annotated[tuple[str, ...], BeforeValidator(_trackers)] = ()

    @model_validator(mode="before")
    @classmethod
    def _trained_tower(cls, value: Any) -> Any:
        """Whoever asks for LoRA in the tower need not say too that it is trained."""
        if isinstance(value, Mapping) and value.get("vision") == "lora":
            return {"freeze_vision": False, **value}
        return value

    def other_ranks(self) -> dict[Literal["projector", "vision"], int]:
        """The parts beside the language tower that take LoRA, with their ranks."""
        own, tower = self.projector_lora_r or self.lora_r, self.vision_lora_r or self.lora_r
        ranks: dict[Literal["projector", "vision"], int] = {}
        if self.projector == "lora":
            ranks["projector"] = own
        if self.vision == "lora":
            ranks["vision"] = tower
        return ranks

    def idle(self) -> Iterator[Conflict]:
        """A rank or a learning rate of what has none, and a cache of features that change."""
        for part in ("projector", "vision"):
            if getattr(self, part) != "lora":
                yield Conflict(
                    f"{part}_lora_r",
                    part,
                    f"has no effect unless train.{part} is lora",
                    f"remove it, or write {part}: lora",
                )
        if self.projector == "freeze":
            yield Conflict(
                "projector_learning_rate",
                "projector",
                "has no effect while train.projector is freeze",
                "remove it, or write projector: train",
            )
        if self.freeze_vision:
            yield Conflict(
                "vision_learning_rate",
                "freeze_vision",
                "has no effect while train.freeze_vision is true",
                "remove it, or write freeze_vision: false",
            )
        else:
            yield Conflict(
                "cache_vision",
                "freeze_vision",
                "has no effect while the vision tower is trained: its features change",
                "remove it, or write freeze_vision: true",
            )

    def conflicts(self) -> Iterator[Conflict]:
        """A warm-up that freezes at once, a tower that is frozen and trained, ranks apart."""
        if self.vision == "lora" and self.freeze_vision:
            yield Conflict(
                "freeze_vision",
                "vision",
                "cannot be true while train.vision is lora",
                "remove one of the two",
            )
        for part, rank in self.other_ranks().items():
            alpha, rest = divmod(self.lora_alpha * rank, self.lora_r)
            if rest:
                yield Conflict(
                    f"{part}_lora_r",
                    "lora_alpha",
                    f"would need an alpha between {alpha} and {alpha + 1}: all ranks have the ratio"
                    " of lora_alpha to lora_r",
                    "choose ranks for which that is a whole number",
                )
        if self.projector == "freeze_after_warmup" and self.warmup_ratio == 0:
            yield Conflict(
                "projector",
                "warmup_ratio",
                "freeze_after_warmup with warmup_ratio 0 would never train the projector",
                "write projector: freeze, or a warmup_ratio above 0",
            )
