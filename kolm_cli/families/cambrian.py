"""Cambrian-1 with Llama 3 or Vicuna, natively: four encoders, sampled before and in the decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.families import shown
from kolm_cli.families.base import Family, Paper, Takes
from kolm_cli.families.feature_layer import after_layers
from kolm_cli.families.support import Experimental
from kolm_cli.families.text import TOKENIZER_FILES
from kolm_cli.families.vision_features import VisionFeatures
from kolm_cli.records.conversation import Conversation, Text

_ENCODERS = "model.vision_tower_aux_list"


@dataclass(frozen=True)
class Cambrian(Family):
    """Cambrian-1 (arXiv:2406.16860)."""

    def messages(self, conversation: Conversation) -> list[dict[str, Any]]:
        """Llama's templates take strings; the picture stands on a line of its own."""
        return [
            {
                "role": message.role,
                "content": "".join(
                    part.text if isinstance(part, Text) else "<image>\n" for part in message.parts
                ),
            }
            for message in conversation.messages
        ]

    def load_processor(self, source: str, **options: Any) -> Any:
        """The processor; a published checkpoint has none, and its tokenizer is enough."""
        if (Path(source) / "processor_config.json").is_file():
            return super().load_processor(source, **options)
        self.register()
        from kolm_cli.families.native.cambrian.loading import published_processor

        return self.with_template(published_processor(source, **options))

    def companions(self, folder: Path, config: Mapping[str, Any]) -> tuple[str, ...]:
        """The published encoders, each where the checkpoint does not hold it."""
        from kolm_cli.families.native.cambrian.encoders import PUBLISHED

        held = _tensor_names(folder)
        names = config.get("mm_vision_tower_aux_list")
        return tuple(
            PUBLISHED[name].repository
            for index, name in enumerate(names if isinstance(names, list) else PUBLISHED)
            if isinstance(name, str)
            and name in PUBLISHED
            and not any(tensor.startswith(f"{_ENCODERS}.{index}.") for tensor in held)
        )

    def load_model(self, source: str, **options: Any) -> tuple[Any, dict[str, Any]]:
        """The model; where its checkpoint lacks the encoders, they come from their own.

        Raises:
            LackingError: names the encoders that are not on this machine.
        """
        model, info = super().load_model(source, **options)
        from kolm_cli.families.native.cambrian.loading import load_encoders

        info["missing_keys"] = load_encoders(model, set(info["missing_keys"]))
        return model, info

    def settings_of(self, config: Any, processor: Any) -> dict[str, Any]:
        """Which id stands for an image: Phi-3's vocabulary has room for it, Llama's has none."""
        return {"image_token_id": processor.image_token_id}

    def never_used(self, model: Any) -> tuple[str, ...]:
        """Whatever comes after the features that each encoder gives, and DINOv2's mask."""
        idle = [*super().never_used(model), "*.mask_token"]
        for index, encoder in enumerate(model.config.encoders()):
            if encoder.model_type == "clip_vision_model":
                layer = model.config.mm_vision_select_layer
                patterns = after_layers(encoder.num_hidden_layers, layer)
                idle += [f"{_ENCODERS}.{index}.vision_tower{pattern[1:]}" for pattern in patterns]
            elif encoder.model_type == "convnext":
                idle.append(f"{_ENCODERS}.{index}.vision_tower.layernorm.*")
        return tuple(idle)


def _tensor_names(folder: Path) -> set[str]:
    """The names in a checkpoint's own weight files."""
    from safetensors import safe_open

    names: set[str] = set()
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "np") as file:
            names.update(file.keys())
    return names


def _encode(model: Any, images: dict[str, Any]) -> Any:
    return model.model.encode(images["pixel_values"])


def _feed(model: Any, features: Any, images: dict[str, Any]) -> dict[str, Any]:
    return {"image_features": features}


FAMILY = Cambrian(
    name="cambrian",
    model_types=("cambrian_llama",),
    id_patterns=("*cambrian-8b*", "*cambrian-13b*"),
    written_for=("nyu-visionx/cambrian-8b", "nyu-visionx/cambrian-13b"),
    papers=(
        Paper(
            "Cambrian-1: A Fully Open, Vision-Centric Exploration of Multimodal LLMs",
            "https://arxiv.org/abs/2406.16860",
        ),
    ),
    native="cambrian",
    not_for=dict.fromkeys(
        ("vllm", "gguf", "gguf-lora", "ollama"),
        "their programs do not have this architecture",
    ),
    vision_features=VisionFeatures(encode=_encode, feed=_feed),
    support=Experimental(
        "its four encoders come from checkpoints of their own; neither those nor published weights"
        " were tried"
    ),
    vision=(_ENCODERS,),
    projector=(
        "model.mm_projector",
        *(f"model.mm_projector_aux_{index}" for index in range(4)),
        "model.vision_sampler_0",
        "model.vision_sampler_layers",
        "model.vision_query",
        "model.image_newline",
    ),
    # The samplers hold hundreds of small layers: they stay as they are.
    projector_lora=tuple(
        f"{projector}.{layer}"
        for projector in ("mm_projector", *(f"mm_projector_aux_{index}" for index in range(4)))
        for layer in (0, 2)
    ),
    language=("model.layers", "model.norm", "model.embed_tokens"),
    takes=Takes(several_images=False),
    end_tokens=("<|eot_id|>",),
    image_keys=("pixel_values", "image_sizes"),
    processor_files=("processor_config.json", *TOKENIZER_FILES),
    sketches=False,
    shown_size=shown.largest_encoder,
)
