"""Phi-3-vision and Phi-3.5-vision: CLIP's tower and Phi-3's decoder, joined by the HD transform."""

from __future__ import annotations


def register() -> None:
    """Make the Auto classes answer for `phi3_v`."""
    from kolm_cli.families.native.auto_classes import answer_for
    from kolm_cli.families.native.phi3_v.configuration import Phi3VConfig
    from kolm_cli.families.native.phi3_v.image_processing import Phi3VImageProcessor
    from kolm_cli.families.native.phi3_v.modeling import Phi3VForCausalLM
    from kolm_cli.families.native.phi3_v.processing import Phi3VProcessor

    answer_for(
        Phi3VConfig,
        image_processor=Phi3VImageProcessor,
        processor=Phi3VProcessor,
        model=Phi3VForCausalLM,
    )
