"""One rank of test_sharded.py: trains a tiny model under FSDP2, and prints its peak of memory."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.profiler import ProfilerActivity, profile

from kolm_cli.families.resolve import resolve_base
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.base_model import load_base
from kolm_cli.trainer.loss import supervised_loss
from kolm_cli.trainer.prepare import prepare
from tests.support.cases import BUDGET, Case

CONFIG = TrainSection(
    bf16=False, gradient_checkpointing=True, gradient_accumulation_steps=1, lora_r=4,
    lora_dropout=0.0, max_seq_length=BUDGET,
)  # fmt: skip


def batch_of(case: Case) -> dict[str, torch.Tensor]:
    """The batch of every rank."""
    return case.batch([case.row(("How long is A? ", "7 or 8"))])


def _local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor  # type: ignore[no-any-return]


def main() -> None:
    torch.set_num_threads(1)
    folder, store, rank, layers = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    case = Case(folder, resolve_base(str(folder)))
    model = prepare(
        load_base(case.base, bf16=False), case.family, CONFIG, device="cpu"
    ).model.train()
    dist.init_process_group("gloo", store=dist.FileStore(store, 2), rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    for module in list(model.modules()):
        if isinstance(module, nn.ModuleList) and len(module) == layers:
            for layer in module:
                fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    batch = batch_of(case)
    kept = {_local(t).untyped_storage()._cdata: _local(t) for t in model.parameters()}
    there = sum(t.untyped_storage().nbytes() for t in kept.values())
    there += sum(t.nbytes for t in (*model.buffers(), *batch.values()))
    labels = batch.pop("labels")
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, foreach=False)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        for _ in range(3):
            supervised_loss(model(**batch), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()
    events = profiled.profiler.kineto_results.events()
    ordered = sorted((e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns())
    print("PEAK", there + max(itertools.accumulate(e.nbytes() for e in ordered)))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
