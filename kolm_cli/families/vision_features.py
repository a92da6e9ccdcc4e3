"""The frozen tower's output, so that it can be computed once an image and not once a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class VisionFeatures:
    """How a family's frozen tower is run apart from its projector.

    Attributes:
        encode: (base model, image tensors of one row) to the tower's output [units, width],
            before the projector, under `no_grad`.
        feed: (base model, joined outputs, image tensors of the batch) to what the model's forward
            is given instead of pixels; the projector runs there or in the forward, with gradient.
    """

    encode: Callable[[Any, dict[str, Any]], Any]
    feed: Callable[[Any, Any, dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Projected:
    """A `feed` for models that take images projected already, as transformers' own do.

    Attributes:
        project: as `feed`, to one tensor [image tokens, text width] an image.
    """

    project: Callable[[Any, Any, dict[str, Any]], list[Any]]

    def __call__(self, model: Any, features: Any, images: dict[str, Any]) -> dict[str, Any]:
        """What the model's forward is given."""
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        output = BaseModelOutputWithPooling(pooler_output=self.project(model, features, images))
        return {"mm_encoder_outputs": {"image": output}}


def _encode_windows(model: Any, images: dict[str, Any]) -> Any:
    """Qwen2.5-VL: the blocks work in window order; give the output in the image's own order."""
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import get_vision_window_index

    tower = model.model.visual
    grid = images["image_grid_thw"]
    output = tower(images["pixel_values"].type(tower.dtype), grid_thw=grid).last_hidden_state
    index, _ = get_vision_window_index(
        grid,
        spatial_merge_size=tower.spatial_merge_size,
        window_size=tower.window_size,
        patch_size=tower.patch_size,
        kwargs={},
    )
    unit = tower.spatial_merge_size**2
    groups = output.reshape(-1, unit, output.shape[-1])
    return groups[index.argsort()].reshape(output.shape)


def _project_merged(model: Any, features: Any, images: dict[str, Any]) -> list[Any]:
    """Qwen2.5-VL: the merger joins each two by two patches, row by row."""
    tower = model.model.visual
    sizes = (images["image_grid_thw"].prod(-1) // tower.spatial_merge_size**2).tolist()
    return list(tower.merger(features).split(sizes))


QWEN2_5_VL = VisionFeatures(encode=_encode_windows, feed=Projected(_project_merged))
