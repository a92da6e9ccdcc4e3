"""kolm: fine-tune open vision-language models, and prove what was done.

The names below are the public Python API (docs/reference/python-api.md). Each is imported when it
is first used, so that `import kolm_cli` loads neither torch nor anything else that is slow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kolm_cli.core.versions import own_version as __version__

if TYPE_CHECKING:
    from kolm_cli.bundle.container.open_bundle import Bundle, open_bundle
    from kolm_cli.bundle.trust.file import load_policy
    from kolm_cli.bundle.trust.policy import TrustPolicy
    from kolm_cli.bundle.verify import Report, verify
    from kolm_cli.core.errors import (
        InputError,
        InterruptedRunError,
        KolmError,
        LackingError,
        Problem,
        VerificationError,
    )
    from kolm_cli.core.progress import Progress
    from kolm_cli.pipeline.compile import Compiled, compile_spec
    from kolm_cli.spec.load import LoadedSpec, load_spec
    from kolm_cli.trainer.vlm import VLMTrainConfig, VLMTrainer, vlm_trainer

__all__ = [
    "Bundle",
    "Compiled",
    "InputError",
    "InterruptedRunError",
    "KolmError",
    "LackingError",
    "LoadedSpec",
    "Problem",
    "Progress",
    "Report",
    "TrustPolicy",
    "VLMTrainConfig",
    "VLMTrainer",
    "VerificationError",
    "__version__",
    "compile_spec",
    "load_policy",
    "load_spec",
    "open_bundle",
    "verify",
    "vlm_trainer",
]

_MODULES = {
    "kolm_cli.bundle.container.open_bundle": ("Bundle", "open_bundle"),
    "kolm_cli.bundle.trust.file": ("load_policy",),
    "kolm_cli.bundle.trust.policy": ("TrustPolicy",),
    "kolm_cli.bundle.verify": ("Report", "verify"),
    "kolm_cli.core.errors": (
        "InputError",
        "InterruptedRunError",
        "KolmError",
        "LackingError",
        "Problem",
        "VerificationError",
    ),
    "kolm_cli.core.progress": ("Progress",),
    "kolm_cli.pipeline.compile": ("Compiled", "compile_spec"),
    "kolm_cli.spec.load": ("LoadedSpec", "load_spec"),
    "kolm_cli.trainer.vlm": ("VLMTrainConfig", "VLMTrainer", "vlm_trainer"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'kolm_cli' has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
