"""Image processors whose scaling is PIL's, as in the published code."""

from __future__ import annotations

from typing import Any

from PIL import Image
from transformers.image_processing_backends import TorchvisionBackend
from transformers.image_transforms import to_pil_image


class PilImageProcessor(TorchvisionBackend):
    """Hands PIL images to `_preprocess`, and never refers to code that came with a checkpoint."""

    def _prepare_image_like_inputs(self, images: Any, **options: Any) -> list[Image.Image]:
        """Flatten what was given to PIL images."""
        flat = self._prepare_images_structure(images)
        return [to_pil_image(image).convert("RGB") for image in flat]

    def to_dict(self) -> dict[str, Any]:
        """The settings."""
        settings: dict[str, Any] = super().to_dict()
        settings.pop("auto_map", None)
        return settings
