"""`modules.json` fits the adapter's form, and the receipt's summary agrees with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.modules import ListedTensor, ModuleLists, TrainableTensor, summarize
from kolm_cli.core.errors import VerificationError

# Where the rank stands in the shape of each of the two matrices.
_RANK_AT = {".lora_A.": 0, ".lora_B.": 1}
_PEFT_PREFIX = "base_model.model."


def _run(case: Case) -> Outcome:
    lists, claims = case.modules, case.receipt.get("vlm_train")
    block = claims if isinstance(claims, dict) else {}
    _agree(block, "trainable_modules", lists.trainable)
    _agree(block, "frozen_modules", lists.frozen)
    problems = [*_misplaced(lists), *_ranks(lists, block), *_homeless(lists)]
    if problems:
        raise VerificationError(*problems[:8])
    return Outcome(True, f"{len(lists.trainable)} trainable and {len(lists.frozen)} frozen tensors")


def _agree(block: dict[str, Any], key: str, tensors: Sequence[ListedTensor]) -> None:
    if not isinstance(block.get(key), list):
        raise VerificationError(f"the receipt has no vlm_train.{key}")
    said = block[key]
    if not all(isinstance(item, str) for item in said) or set(said) != set(summarize(tensors)):
        raise VerificationError(
            f"the receipt's vlm_train.{key} does not summarize {layout.MODULES}"
        )


def _matrix(tensor: ListedTensor) -> str | None:
    return next((matrix for matrix in _RANK_AT if matrix in tensor.name), None)


def _misplaced(lists: ModuleLists) -> Iterator[str]:
    """Kind, file and name in the file follow from the name and the part."""
    for tensor in lists.frozen:
        if _matrix(tensor):
            yield f"{tensor.name} belongs to an adapter, and is listed as frozen"
    for tensor in lists.trainable:
        if _matrix(tensor):
            place = ("lora", layout.ADAPTER_WEIGHTS, _PEFT_PREFIX + tensor.name)
        else:
            place = ("full", f"adapter/{tensor.part}.safetensors", tensor.name)
        if (tensor.kind, tensor.file, tensor.tensor) != place:
            yield f"{tensor.name} is not {place[0]} in {place[1]} as {place[2]}"


def rank_of(block: Mapping[str, Any], part: str) -> Any:
    """The rank that a receipt claims for a part's LoRA."""
    own = block.get(f"{part}_lora_r")
    return block.get("lora_r") if own is None else own


def _ranks(lists: ModuleLists, block: Mapping[str, Any]) -> Iterator[str]:
    for part in ("projector", "vision"):
        has_lora = any(t.part == part and _matrix(t) for t in lists.trainable)
        if block.get(f"{part}_lora_r") is not None and not has_lora:
            yield f"the receipt gives the {part} a rank, which has no LoRA"
    for tensor in lists.trainable:
        matrix, rank = _matrix(tensor), rank_of(block, tensor.part)
        # A matrix without elements could claim any rank, which a loader would make room for.
        shaped = len(tensor.shape) == 2 and 0 not in tensor.shape
        if matrix and not (shaped and tensor.shape[_RANK_AT[matrix]] == rank):
            yield f"{tensor.name} has the shape {list(tensor.shape)}, not one of rank {rank!r:.40}"


def _homeless(lists: ModuleLists) -> Iterator[str]:
    """An adapter belongs to a layer of the base, which is frozen and of the same part."""
    frozen = {tensor.name: tensor.part for tensor in lists.frozen}
    for tensor in lists.trainable:
        layer = _layer(tensor)
        if layer and frozen.get(layer) != tensor.part:
            yield f"{tensor.name} has no frozen {layer} of the part {tensor.part}"


def _layer(tensor: TrainableTensor) -> str:
    return f"{tensor.name.partition('.lora_')[0]}.weight" if _matrix(tensor) else ""


CHECK = Check("modules", _run)
