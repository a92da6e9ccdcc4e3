"""Starting from an earlier bundle: it must be trusted, and of the same base and shape."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.progress import Progress
from kolm_cli.core.seals import is_sealed, seal
from kolm_cli.pipeline.bundle_use import Demands, unpacked
from kolm_cli.pipeline.during import held_out
from kolm_cli.pipeline.unpacked import Unpacked

if TYPE_CHECKING:
    from kolm_cli.pipeline.inputs import Inputs


def check_parent(inputs: Inputs, progress: Progress) -> frozenset[str]:
    """Verify the bundle that training starts from, and compare it with what is to be trained.

    Returns:
        the digests of the rows that chose its weights.

    Raises:
        InputError: another base, LoRA of another shape, or other parts that train; all of it.
        VerificationError: it is not intact, or the trust policy refuses its signer.
    """
    if inputs.parent is None:
        return frozenset()
    progress.stage("check the bundle to start from")
    with (
        inputs.parent.file() as path,
        unpacked(path, Demands(cid=inputs.parent.cid), progress) as bundle,
    ):
        problems = list(_differences(inputs, bundle))
        chose = held_out(bundle.trained)
    if problems:
        raise InputError(
            *(Problem(what, inputs.parent.where, fix) for what, fix in problems),
            hint=f"kolm receipt {inputs.parent.cid} says how it was trained",
        )
    return chose


def _differences(inputs: Inputs, bundle: Unpacked) -> Iterator[tuple[str, str]]:
    """What differs, and what to write instead."""
    if bundle.manifest["base"]["weights"] != inputs.weights:
        named = bundle.manifest["base"]["model"]
        yield f"it was trained on another base ({named})", "write base.model as it has it"
    theirs, own = bundle.spec["train"], inputs.spec.train
    lora = inputs.base.family.lora_default
    for name, there, here in (
        ("lora_r", theirs["lora_r"], own.lora_r),
        ("lora_alpha", theirs["lora_alpha"], own.lora_alpha),
        ("lora_targets", *(_layers(v, lora) for v in (theirs["lora_targets"], own.lora_targets))),
        ("freeze_vision", theirs["freeze_vision"], own.freeze_vision),
    ):
        if there != here:
            yield f"its {name} is {_said(there)}, not {_said(here)}", f"write train.{name} alike"
    if _learns(theirs["projector"]) != _learns(own.projector):
        yield (
            f"its projector is {theirs['projector']}, not {own.projector}",
            "train the projector in both or in neither, in full or by LoRA",
        )
    for name in ("vision", "projector_lora_r", "vision_lora_r"):
        there, here = theirs.get(name), getattr(own, name)
        if there != here:
            yield f"its {name} is {_said(there)}, not {_said(here)}", f"write train.{name} alike"


def _learns(projector: str) -> str:
    return projector if projector in ("freeze", "lora") else "train"


def _layers(targets: Any, default: tuple[str, ...]) -> Any:
    if targets == "all-linear":
        return targets
    return sorted(default if targets == "default" else targets)


def _said(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value).lower()


def place_parent(inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Put the verified adapter where the worker starts from it; a whole one is left as it is.

    Raises:
        VerificationError: it is not intact, or the trust policy refuses its signer.
    """
    if inputs.parent is None or is_sealed(folder):
        return
    shutil.rmtree(folder, ignore_errors=True)
    with (
        inputs.parent.file() as path,
        unpacked(path, Demands(cid=inputs.parent.cid), progress) as bundle,
    ):
        shutil.copytree(bundle.folder / "adapter", folder)
    folder.chmod(0o700)
    seal(folder)
