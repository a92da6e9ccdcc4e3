"""Cambrian-1: four vision encoders, sampled before and inside a Llama or a Phi-3."""

from __future__ import annotations


def register() -> None:
    """Make the Auto classes answer for `cambrian_llama` and `cambrian_phi3`."""
    from kolm_cli.families.native.auto_classes import answer_for
    from kolm_cli.families.native.cambrian.configuration import CambrianConfig, CambrianPhi3Config
    from kolm_cli.families.native.cambrian.image_processing import CambrianImageProcessor
    from kolm_cli.families.native.cambrian.modeling import (
        CambrianLlamaForCausalLM,
        CambrianPhi3ForCausalLM,
    )
    from kolm_cli.families.native.cambrian.processing import CambrianProcessor

    for config, model in (
        (CambrianConfig, CambrianLlamaForCausalLM),
        (CambrianPhi3Config, CambrianPhi3ForCausalLM),
    ):
        answer_for(
            config,
            image_processor=CambrianImageProcessor,
            processor=CambrianProcessor,
            model=model,
        )
