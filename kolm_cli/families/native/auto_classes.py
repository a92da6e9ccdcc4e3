"""Telling transformers' Auto classes about a family's own."""

from __future__ import annotations

from typing import Any

from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
)


def answer_for(config: Any, *, image_processor: Any, processor: Any, model: Any) -> None:
    """Make the Auto classes answer for the `model_type` of `config` with these classes.

    Args:
        config: the configuration's class.
        image_processor: the image processor's class.
        processor: the processor's class.
        model: the class of the model with its language head.
    """
    AutoConfig.register(config.model_type, config, exist_ok=True)
    AutoImageProcessor.register(
        config, image_processor_classes={"torchvision": image_processor}, exist_ok=True
    )
    AutoProcessor.register(config, processor, exist_ok=True)
    for auto in (AutoModelForImageTextToText, AutoModelForCausalLM):
        auto.register(config, model, exist_ok=True)
