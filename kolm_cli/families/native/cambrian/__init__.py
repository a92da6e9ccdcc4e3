"""Cambrian-1 with a Llama: four vision encoders, sampled before and inside the language model."""

from __future__ import annotations


def register() -> None:
    """Make the Auto classes answer for `cambrian_llama`."""
    from transformers import (
        AutoConfig,
        AutoImageProcessor,
        AutoModelForCausalLM,
        AutoModelForImageTextToText,
        AutoProcessor,
    )

    from kolm_cli.families.native.cambrian.configuration import CambrianConfig
    from kolm_cli.families.native.cambrian.image_processing import CambrianImageProcessor
    from kolm_cli.families.native.cambrian.modeling import CambrianLlamaForCausalLM
    from kolm_cli.families.native.cambrian.processing import CambrianProcessor

    AutoConfig.register(CambrianConfig.model_type, CambrianConfig, exist_ok=True)
    AutoImageProcessor.register(
        CambrianConfig,
        image_processor_classes={"torchvision": CambrianImageProcessor},
        exist_ok=True,
    )
    AutoProcessor.register(CambrianConfig, CambrianProcessor, exist_ok=True)
    for auto in (AutoModelForImageTextToText, AutoModelForCausalLM):
        auto.register(CambrianConfig, CambrianLlamaForCausalLM, exist_ok=True)
