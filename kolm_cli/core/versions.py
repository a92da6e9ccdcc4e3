"""kolm's own version, and the packages whose versions can change a result."""

from __future__ import annotations

own_version = "0.1.0"

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
    from importlib.metadata import version

    return {package: version(package) for package in PACKAGES}
