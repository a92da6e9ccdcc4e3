"""What the configurations of a bundle may say, for what writes, verifies and loads them.

A loader acts on them, so every key is held against a list: the adapter's here, the processor's in
`processor_keys`. What could name code or something else to load is refused at any depth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kolm_cli.bundle.format import layout, processor_keys
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import Problem, VerificationError

# What transformers, peft and huggingface_hub take as code, or as leave to fetch some.
CODE_HOOKS = frozenset(
    {"auto_map", "auto_mapping", "custom_pipelines", "trust_remote_code", "remote_code"}
)
# Where this machine found something. The adapter's name for its base is checked for itself.
PLACE = "name_or_path"
AUDIO_TOKENIZER = "audio_tokenizer"
MAX_EXPRESSION = 8192
MAX_ALTERNATIVES = 256
# Layers that may have a rank of their own.
MAX_PATTERNS = 1024

_NAME = r"(?:[A-Za-z0-9_]|\\[.-])+"
_NAMES = rf"(?:\(\?:{_NAME}(?:\|{_NAME})*\)|{_NAME})"
# Towers, any path, layers. With one `.*` the time to match is bounded by the product of the lengths
# of expression and name; with two or more it may be the square, or all time there is.
_LAYERS = rf"{_NAMES}(?:\\\.\(\?:\.\*\\\.\)\?|\\\.\.\*){_NAMES}"
# Of the language tower, and of the projector and the vision tower where those have LoRA.
_EXPRESSION = re.compile(rf"{_LAYERS}(?:\|{_LAYERS}){{0,2}}", re.ASCII)
_LAYER = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*", re.ASCII)

Form = Callable[[Any], bool]


def _only(wanted: Any) -> Form:
    return lambda value: type(value) is type(wanted) and value == wanted


def _count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _share(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1


def _expression(value: Any) -> bool:
    """Whether PEFT can match it against every layer's name at once."""
    return (
        isinstance(value, str)
        and len(value) <= MAX_EXPRESSION
        and value.count("|") < MAX_ALTERNATIVES
        and _EXPRESSION.fullmatch(value) is not None
    )


def _pattern(value: Any) -> bool:
    """Whether it gives layers, by their whole names, a count each: PEFT takes a name as a regex."""
    return (
        isinstance(value, dict)
        and 0 < len(value) <= MAX_PATTERNS
        and all(len(name) <= 256 and _LAYER.fullmatch(name) for name in value)
        and all(map(_count, value.values()))
    )


# Every key of `adapter_config.json`. Only some are required, by the check `adapter`.
ADAPTER_FORMS: dict[str, Form] = {
    "alpha_pattern": _pattern,
    "base_model_name_or_path": lambda value: isinstance(value, str),
    "bias": _only("none"),
    "fan_in_fan_out": _only(False),
    "inference_mode": _only(True),
    "init_lora_weights": _only(True),
    "lora_alpha": _count,
    "lora_dropout": _share,
    "peft_type": _only("LORA"),
    "r": _count,
    "rank_pattern": _pattern,
    "target_modules": _expression,
    "task_type": _only("CAUSAL_LM"),
    "use_dora": _only(False),
    "use_rslora": _only(False),
}


def is_configuration(path: str) -> bool:
    """Whether a loader reads settings from the file at this path of a bundle."""
    kind = layout.kind_of(path)
    looked_into = kind is not None and kind.kept and kind.json
    return looked_into and path.startswith(("adapter/", "processor/"))


def problems_of(path: str, data: bytes) -> list[str]:
    """What a configuration says that it must not.

    Args:
        path: of the file in the bundle.
        data: its content.
    """
    try:
        value = canonical_json.loads(data, max_bytes=4 * layout.MIB)
    except VerificationError as error:
        return [f"{path}: {error}"]
    if not isinstance(value, dict):
        return [f"{path}: not an object"]
    found = _adapter(value) if path == layout.ADAPTER_CONFIG else _processor(path, value)
    return [f"{path}: {problem}" for problem in found]


def require(folder: Path) -> None:
    """Check the configurations of an unpacked bundle, before anything loads them.

    Raises:
        VerificationError: names everything that is not allowed.
    """
    found = []
    for part in ("adapter", "processor"):
        for file in sorted((folder / part).glob("*.json")):
            path = f"{part}/{file.name}"
            found += problems_of(path, file.read_bytes()) if is_configuration(path) else []
    if found:
        raise VerificationError(*(Problem(problem) for problem in found))


def _adapter(value: dict[str, Any]) -> Iterator[str]:
    yield from _everywhere(value, _hook)
    for key, item in value.items():
        if key not in ADAPTER_FORMS:
            yield f"{key!r:.80} is not a key that an adapter's configuration may have"
        elif not ADAPTER_FORMS[key](item):
            yield f"{key} is {item!r:.80}, which it may not be"


def _processor(path: str, value: dict[str, Any]) -> Iterator[str]:
    found = [*_everywhere(value, _hook), *_everywhere(value, _place)]
    # Neither is on a list: once is enough.
    yield from found or processor_keys.problems(path, value)


def _hook(key: str, value: Any) -> str:
    hook = key in CODE_HOOKS and value not in (None, False)
    return f"{key} could make a loader run code" if hook else ""


def _place(key: str, value: Any) -> str:
    place = value is not None and (key.endswith(PLACE) or key.startswith(AUDIO_TOKENIZER))
    return f"{key!r:.80} could make a loader read from elsewhere" if place else ""


def _everywhere(value: Any, rule: Callable[[str, Any], str]) -> Iterator[str]:
    """What a rule finds at every key of a JSON value, whose depth the reader has bounded."""
    if isinstance(value, dict):
        for key, item in value.items():
            if problem := rule(key, item):
                yield problem
            yield from _everywhere(item, rule)
    elif isinstance(value, list):
        for item in value:
            yield from _everywhere(item, rule)
