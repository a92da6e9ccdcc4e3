"""The adapter's tensors are exactly the trainable ones of `modules.json`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.configurations import ADAPTER_FORMS
from kolm_cli.bundle.format.modules import ModuleLists
from kolm_cli.bundle.format.safetensors_header import Tensor
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import VerificationError

Place = tuple[str, str]  # file, tensor


def _run(case: Case) -> Outcome:
    held: dict[Place, Tensor] = {}
    for path, seen in case.contents.tensors.items():
        if seen.problem:
            raise VerificationError(f"{path}: {seen.problem}")
        held |= {(path, span.name): span.tensor for span in seen.spans}
    listed = _listed(case.modules)
    problems = [f"{name} of {path} is not in modules.json" for path, name in held.keys() - listed]
    problems += [f"{path} does not hold {name}" for path, name in listed.keys() - held]
    problems += [
        f"{place[1]} is {held[place].dtype} {held[place].shape}, not {tensor.dtype} {tensor.shape}"
        for place, tensor in listed.items()
        if place in held and held[place] != tensor
    ]
    problems += [*_config(case), *_layers(case)]
    if problems:
        shown = sorted(problems)[:8]
        more = f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
        return Outcome(False, "; ".join(shown) + more)
    return Outcome(True, f"{len(held)} tensors in {len(case.contents.tensors)} files")


def _listed(modules: ModuleLists) -> dict[Place, Tensor]:
    result: dict[Place, Tensor] = {}
    for entry in modules.trainable:
        place = (entry.file, entry.tensor)
        if place in result:
            raise VerificationError(f"modules.json lists {place[1]} of {place[0]} twice")
        result[place] = Tensor(entry.dtype, entry.shape)
    return result


def _layers(case: Case) -> list[str]:
    """What `target_modules` matches among the layers that are listed are those with adapters."""
    data = case.contents.content(layout.ADAPTER_CONFIG)
    config = canonical_json.loads_canonical(data, max_bytes=layout.MIB)
    targets = config.get("target_modules") if isinstance(config, dict) else None
    if targets is None or not ADAPTER_FORMS["target_modules"](targets):
        return []  # the check of the configurations says what it may be
    matches = re.compile(targets).fullmatch
    weights = (tensor.name for tensor in case.modules.frozen if tensor.name.endswith(".weight"))
    found = {name for weight in weights if matches(name := weight.removesuffix(".weight"))}
    names = (tensor.name for tensor in case.modules.trainable)
    adapted = {name.partition(".lora_")[0] for name in names if ".lora_" in name}
    return [
        f"{layout.ADAPTER_CONFIG}: target_modules and modules.json differ in {name}"
        for name in found ^ adapted
    ]


def _config(case: Case) -> list[str]:
    """What the adapter's configuration and the rest of the bundle must say alike."""
    data = case.contents.content(layout.ADAPTER_CONFIG)
    config = canonical_json.loads_canonical(data, max_bytes=layout.MIB)
    if not isinstance(config, dict):
        return [f"{layout.ADAPTER_CONFIG} is not an object"]
    block = case.receipt.get("vlm_train")
    said = block if isinstance(block, dict) else {}
    pairs = [
        ("peft_type", "LORA"),
        ("base_model_name_or_path", case.manifest.base.model),
        ("r", said.get("lora_r")),
        ("lora_alpha", said.get("lora_alpha")),
    ]
    problems = list(_patterns(case.modules, config, said))
    return problems + [
        f"{layout.ADAPTER_CONFIG}: {key} is {config.get(key)!r:.80}, not {wanted!r:.80}"
        for key, wanted in pairs
        if config.get(key) != wanted
    ]


def _patterns(
    modules: ModuleLists, config: dict[str, Any], said: Mapping[str, Any]
) -> Iterator[str]:
    """Layers with a rank of their own are listed, with the alpha that keeps the one ratio."""
    ranks, alphas = (config.get(key, {}) for key in ("rank_pattern", "alpha_pattern"))
    r, alpha = said.get("lora_r"), said.get("lora_alpha")
    if not all(isinstance(pattern, dict) for pattern in (ranks, alphas)):
        yield f"{layout.ADAPTER_CONFIG}: a pattern is not an object"
        return
    if type(r) is not int or type(alpha) is not int or r < 1:
        return
    wanted = {
        tensor.name.partition(".lora_A.")[0]: tensor.shape[0]
        for tensor in modules.trainable
        if ".lora_A." in tensor.name and tensor.shape and tensor.shape[0] != r
    }
    if ranks != wanted:
        yield f"{layout.ADAPTER_CONFIG}: rank_pattern is not what {layout.MODULES} lists"
    if alphas != {layer: alpha * rank // r for layer, rank in wanted.items()}:
        yield f"{layout.ADAPTER_CONFIG}: alpha_pattern has another ratio than lora_alpha to lora_r"


CHECK = Check("adapter", _run)
