"""Language models that are shown pictures: handing them on, and when to show them."""

from __future__ import annotations

from typing import Any

import torch


class ShowsPictures:
    """Goes before a `...ForCausalLM` whose `model` takes `pixel_values` and `image_sizes`."""

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        image_sizes: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """The language model's forward, which hands the pictures on to its decoder."""
        pictures: dict[str, Any] = {}
        if pixel_values is not None:
            pictures["pixel_values"] = pixel_values
        if image_sizes is not None:
            pictures["image_sizes"] = image_sizes
        inner: Any = super()
        return inner.forward(
            input_ids=input_ids, attention_mask=attention_mask, **pictures, **kwargs
        )

    def prepare_inputs_for_generation(
        self,
        input_ids: torch.Tensor,
        pixel_values: torch.Tensor | None = None,
        image_sizes: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Show the pictures whenever the whole prompt is read, and never else.

        That is once, or twice where a long rope sets in while an answer is written.
        """
        inner: Any = super()
        inputs = inner.prepare_inputs_for_generation(input_ids, **kwargs)
        shown = inputs.get("input_ids")
        if pixel_values is not None and shown is not None and shown.shape[1] == input_ids.shape[1]:
            inputs |= {"pixel_values": pixel_values, "image_sizes": image_sizes}
        return inputs
