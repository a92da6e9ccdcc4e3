"""No configuration can make a loader run code or read from elsewhere."""

from __future__ import annotations

from typing import Any

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format import layout
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import VerificationError

# What transformers, peft and huggingface_hub take as code, or as leave to fetch some.
CODE_HOOKS = frozenset(
    {"auto_map", "auto_mapping", "custom_pipelines", "trust_remote_code", "remote_code"}
)


def _run(case: Case) -> Outcome:
    problems = []
    looked_at = 0
    for path in case.contents.files:
        kind = layout.kind_of(path)
        if kind is None or not (kind.kept and kind.json) or not path.startswith(_FOLDERS):
            continue
        looked_at += 1
        try:
            data = case.contents.content(path)
            value = canonical_json.loads(data, max_bytes=kind.max_bytes)
        except VerificationError as error:
            problems.append(f"{path}: {error}")
            continue
        if not isinstance(value, dict):
            problems.append(f"{path}: not an object")
        problems += [f"{path}: {found}" for found in _hooks(value)]
    if problems:
        return Outcome(False, "; ".join(problems))
    return Outcome(True, f"{looked_at} configurations, none with a hook for code")


_FOLDERS = ("adapter/", "processor/")


def _hooks(value: Any) -> list[str]:
    """Every hook in a JSON value, whose depth the reader has bounded."""
    found = []
    if isinstance(value, dict):
        for key, item in value.items():
            if key in CODE_HOOKS and item not in (None, False):
                found.append(f"{key} could make a loader run code")
            found += _hooks(item)
    elif isinstance(value, list):
        for item in value:
            found += _hooks(item)
    return found


CHECK = Check("configs", _run)
