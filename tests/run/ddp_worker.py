"""One rank of a run in test_processes.py: leaves its first gradient behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from accelerate import PartialState

from kolm_cli.families.resolve import resolve_base
from kolm_cli.trainer.evidence import GradientLedger
from tests.support.cases import Case


def main() -> None:
    torch.set_num_threads(1)
    run = Path(sys.argv[1])
    job = json.loads((run / "job.json").read_bytes())
    state = PartialState(cpu=True)
    case = Case(Path(job["base"]), resolve_base(job["base"]))
    rows = [
        case.row(("No image here?" * (n + 1), "Right."), images=[], name=f"text{n}")
        if n % 2
        else case.row(("What?", "This" * (n + 1)), images=[(40 + 10 * n, 40)], name=f"image{n}")
        for n in range(8)
    ]
    look = GradientLedger.look
    caught: list[dict[str, torch.Tensor]] = []

    def keep(ledger: GradientLedger) -> None:
        named = trainer.model.named_parameters()
        caught.append({n: p.grad.clone() for n, p in named if p.grad is not None})
        look(ledger)

    GradientLedger.look = keep  # type: ignore[method-assign]
    trainer = case.trainer(
        rows,
        run / "checkpoints",
        per_device_train_batch_size=job["batch"],
        max_grad_norm=0.0,
    )
    trainer.train()
    weights = {n: p.detach() for n, p in trainer.model.named_parameters() if p.requires_grad}
    torch.save(
        {
            "world": state.num_processes,
            "gradients": caught,
            "weights": weights,
            "receipt": trainer.receipt(),
        },
        run / f"rank{state.process_index}.pt",
    )


main()
