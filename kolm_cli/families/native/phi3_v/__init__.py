"""Phi-3-vision and Phi-3.5-vision: CLIP's tower and Phi-3's decoder, joined by the HD transform."""

from __future__ import annotations


def register() -> None:
    """Make the Auto classes answer for `phi3_v`."""
    from transformers import (
        AutoConfig,
        AutoImageProcessor,
        AutoModelForCausalLM,
        AutoModelForImageTextToText,
        AutoProcessor,
    )

    from kolm_cli.families.native.phi3_v.configuration import Phi3VConfig
    from kolm_cli.families.native.phi3_v.image_processing import Phi3VImageProcessor
    from kolm_cli.families.native.phi3_v.modeling import Phi3VForCausalLM
    from kolm_cli.families.native.phi3_v.processing import Phi3VProcessor

    AutoConfig.register(Phi3VConfig.model_type, Phi3VConfig, exist_ok=True)
    AutoImageProcessor.register(
        Phi3VConfig, image_processor_classes={"torchvision": Phi3VImageProcessor}, exist_ok=True
    )
    AutoProcessor.register(Phi3VConfig, Phi3VProcessor, exist_ok=True)
    for auto in (AutoModelForImageTextToText, AutoModelForCausalLM):
        auto.register(Phi3VConfig, Phi3VForCausalLM, exist_ok=True)
