"""The packages whose versions can change a result."""

from __future__ import annotations

from importlib.metadata import version

PACKAGES = (
    "kolm-cli",
    "torch",
    "torchvision",
    "transformers",
    "tokenizers",
    "peft",
    "accelerate",
    "safetensors",
    "pillow",
)


def installed_versions() -> dict[str, str]:
    """Their installed versions, read from metadata, since importing torch takes seconds."""
    return {package: version(package) for package in PACKAGES}
