"""Cambrian-1 with a Llama: four vision encoders, sampled before and inside the language model."""

from __future__ import annotations


def register() -> None:
    """Make the Auto classes answer for `cambrian_llama`."""
    from kolm_cli.families.native.auto_classes import answer_for
    from kolm_cli.families.native.cambrian.configuration import CambrianConfig
    from kolm_cli.families.native.cambrian.image_processing import CambrianImageProcessor
    from kolm_cli.families.native.cambrian.modeling import CambrianLlamaForCausalLM
    from kolm_cli.families.native.cambrian.processing import CambrianProcessor

    answer_for(
        CambrianConfig,
        image_processor=CambrianImageProcessor,
        processor=CambrianProcessor,
        model=CambrianLlamaForCausalLM,
    )
