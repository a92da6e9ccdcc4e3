"""The training step of TRL's SFTTrainer on the meta device, counted as kolm's own is.

TRL's collator makes the batch, and its trainer computes loss and gradients; LoRA, autocast and what
a GPU does otherwise than the meta device are counted by the same code for both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import datasets
import torch
import trl.kernels.chunked_logprob as kernels
import trl.trainer.utils as utils
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from PIL import Image
from torch import nn
from trl import SFTConfig, SFTTrainer

from kolm_cli.encoding.encoded import IGNORE
from kolm_cli.plan.counts import StepCounts, Work
from kolm_cli.plan.planned import Planned
from kolm_cli.plan.step import CountedStep
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.lora import leaf_names, target_expression
from kolm_cli.trainer.partition import Partition
from kolm_cli.trainer.prepare import Prepared


class SftStep(CountedStep):
    """A step of TRL's trainer, with LoRA on the layers that kolm's has it on.

    Args:
        plan: the model.
        config: how it is trained.
        widened: PEFT widens the input of each adapter, as it does by itself.
        towers_graph: the tower's inputs take gradients under checkpointing, as TRL asks for.
    """

    def __init__(
        self,
        plan: Planned,
        config: TrainSection,
        *,
        widened: bool = True,
        towers_graph: bool = True,
    ) -> None:
        self._plan, self._widened, self._towers_graph = plan, widened, towers_graph
        super().__init__(plan.model(config, plan.encoder), plan.family, config)

    def prepare(self, model: nn.Module, device: str) -> Prepared:
        """As SFTTrainer does, with LoRA on the same layers."""
        config = self.config
        leaves = leaf_names(model, self.family, config.lora_targets)
        lora = LoraConfig(
            r=config.lora_r,
            lora_alpha=config.lora_alpha,
            lora_dropout=config.lora_dropout,
            target_modules=target_expression(self.family, leaves),
            task_type="CAUSAL_LM",
        )
        arguments = SFTConfig(
            output_dir="unused",
            per_device_train_batch_size=1,
            gradient_accumulation_steps=config.gradient_accumulation_steps,
            gradient_checkpointing=config.gradient_checkpointing,
            max_length=None,
            max_grad_norm=config.max_grad_norm,
            bf16=config.bf16,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
        )
        arguments.__dict__["_setup_devices"] = torch.device("meta")
        # TRL looks at the first row for its columns only: rows of a batch go to the collator.
        looked_at = datasets.Dataset.from_list([{"images": [], "prompt": "", "completion": ""}])
        self._trainer = SFTTrainer(
            model,
            args=arguments,
            train_dataset=looked_at,
            processing_class=self._plan.encoder.processor,
            peft_config=lora,
        )
        self._trainer.current_gradient_accumulation_steps = config.gradient_accumulation_steps
        wrapped = self._trainer.model
        if config.gradient_checkpointing:
            # What Trainer.train does before its first step.
            wrapped.gradient_checkpointing_enable(arguments.gradient_checkpointing_kwargs)
            if not self._towers_graph:
                _take_off_gradient_hooks(wrapped)
        for module in wrapped.modules():
            if isinstance(module, LoraLayer):
                module.cast_input_dtype_enabled = self._widened
        return Prepared(wrapped, Partition.of(self.family, wrapped), leaves, {})

    def trainer(self) -> SFTTrainer:
        """TRL's."""
        return self._trainer

    def batch(self, picture: tuple[int, int], tokens: int, supervised: int) -> dict[str, Any]:
        """A batch of one row, by TRL's collator, of exactly so many tokens.

        The stand-in's tokenizer has a byte a token.
        """
        asked, answered = 1, supervised
        for _ in range(4):
            user = [{"role": "user", "content": "y" * asked}]
            said = [{"role": "assistant", "content": "x" * answered}]
            row = {"images": [Image.new("RGB", picture)], "prompt": user, "completion": said}
            batch = dict(self._trainer.data_collator([row]))
            more = supervised - int((batch["labels"] != IGNORE).sum())
            missing = tokens - batch["input_ids"].shape[1]
            if not (more or missing):
                break
            asked, answered = asked + missing - more, answered + more
        else:
            raise ValueError(f"no row of {tokens} tokens, {supervised} of them supervised")
        encoder = self._plan.encoder
        for known in encoder.image_token_ids:
            batch["input_ids"][batch["input_ids"] == known] = encoder.image_id
        return batch

    def count(self, batch: Any, *, every_layer: bool = False) -> StepCounts:
        """Count a step as a GPU does it, where TRL has kernels of its own."""
        with self._as_on_gpu():
            return super().count(batch, every_layer=every_layer)

    @contextlib.contextmanager
    def _as_on_gpu(self) -> Iterator[None]:
        forms = self.forms
        enabled, dtype = torch.is_autocast_enabled, torch.get_autocast_dtype

        def is_on(kind: str = "cuda") -> bool:
            return forms._casts_now if kind == "meta" else bool(enabled(kind))

        def cast_to(kind: str) -> torch.dtype:
            return torch.bfloat16 if kind == "meta" else dtype(kind)

        def addmm(acc: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> None:
            with forms.plain():
                torch.addmm(acc, a, b, out_dtype=torch.float32, out=acc)

        patches = {
            (kernels, "_use_triton"): lambda _: True,
            (utils, "_use_triton"): lambda _: True,
            (kernels, "triton"): SimpleNamespace(cdiv=lambda a, b: -(-a // b)),
            (kernels, "_forward_kernel"): self._kernel(writes=slice(3, 10)),
            (kernels, "_backward_kernel"): self._kernel(writes=slice(0, 1)),
            (kernels, "_addmm_fp32"): addmm,
            (torch, "is_autocast_enabled"): is_on,
            (torch, "get_autocast_dtype"): cast_to,
        }  # fmt: skip
        with contextlib.ExitStack() as stack:
            for (where, name), instead in patches.items():
                stack.enter_context(mock.patch.object(where, name, instead, create=True))
            yield

    def _kernel(self, writes: slice) -> Any:
        """One of TRL's Triton kernels: a launch, which reads all of its tensors."""

        def launch(*args: Any, **_: Any) -> None:
            tensors = [a for a in args if isinstance(a, torch.Tensor)]
            written = [a for a in args[writes] if isinstance(a, torch.Tensor)]
            read, wrote = (sum(t.nbytes for t in each) for each in (tensors, written))
            follower = self.follower
            follower.work.of(self.where.part()).add(Work(1, read, wrote))
            follower.sizes[0, read + wrote] += 1

        return _Launcher(launch)


def _take_off_gradient_hooks(model: nn.Module) -> None:
    """Those of transformers that make what enters decoder and tower take gradients."""
    for module in model.modules():
        for key, hook in list(module._forward_hooks.items()):
            if "require_grads" in getattr(hook, "__qualname__", ""):
                del module._forward_hooks[key]


class _Launcher:
    """`kernel[grid](...)`."""

    def __init__(self, launch: Callable[..., None]) -> None:
        self._launch = launch

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        return self._launch
