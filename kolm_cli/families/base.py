"""What kolm must know about a model family to train it without guessing."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from kolm_cli.capture.record import Conversation, Text
from kolm_cli.families.features import VisionFeatures
from kolm_cli.families.support import Support, Supported

PartName = Literal["vision", "projector", "language", "head", "other"]
PARTS: tuple[PartName, ...] = get_args(PartName)

# The linear layers of a Llama-like decoder block that LoRA adapts by default.
LLAMA_LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Paper:
    """Where the family's architecture was published."""

    title: str
    url: str


@dataclass(frozen=True)
class Takes:
    """What a row of this family may hold. What is not declared is refused in preflight.

    Attributes:
        text_only: rows without an image.
        images: images at all.
        several_images: more than one image in a row.
        several_turns: more than one question and answer.
        system: a system prompt.
    """

    text_only: bool = True
    images: bool = True
    several_images: bool = True
    several_turns: bool = True
    system: bool = True


@dataclass(frozen=True)
class Family:
    """One model family: facts, and the few operations in which families differ.

    Part prefixes are dotted names at run time (checkpoints on disk often use other ones). The
    longest matching prefix decides, so `model.visual.merger` wins over `model.visual`.

    Attributes:
        name: the catalogue name.
        model_types: the `model_type`s of a config that belong to it; the first is canonical.
        id_patterns: shell patterns over lower-case hub ids or folder names.
        written_for: hub ids that the family was written for.
        lora_default: leaf names of the linear layers inside `language` that `default` adapts.
        auto_class: the transformers class that loads the model.
        image_keys: processor outputs that are about images even where their shape happens to
            look like one value a token.
        vision_features: how the tower's output is kept for `cache_vision`; None refuses it.
    """

    name: str
    model_types: tuple[str, ...]
    id_patterns: tuple[str, ...]
    written_for: tuple[str, ...]
    papers: tuple[Paper, ...]
    language: tuple[str, ...]
    vision: tuple[str, ...] = ()
    projector: tuple[str, ...] = ()
    head: tuple[str, ...] = ("lm_head",)
    other: tuple[str, ...] = ()
    support: Support = field(default_factory=Supported)
    takes: Takes = field(default_factory=Takes)
    lora_default: tuple[str, ...] = LLAMA_LINEARS
    auto_class: str = "AutoModelForImageTextToText"
    image_keys: tuple[str, ...] = ("pixel_values", "image_sizes", "image_grid_thw")
    vision_features: VisionFeatures | None = None

    def claims_id(self, model_id: str) -> bool:
        """Whether the id or folder name looks like this family's."""
        lowered = model_id.lower()
        return any(fnmatch.fnmatchcase(lowered, pattern) for pattern in self.id_patterns)

    def prefixes(self, part: PartName) -> tuple[str, ...]:
        """The dotted prefixes of one part."""
        prefixes: tuple[str, ...] = getattr(self, part)
        return prefixes

    # -- loading -----------------------------------------------------------------------------

    def load_processor(self, source: str, **options: Any) -> Any:
        """The processor that turns text and images into model inputs."""
        from transformers import AutoProcessor

        return AutoProcessor.from_pretrained(source, **options)

    def load_model(self, source: str, **options: Any) -> tuple[Any, dict[str, Any]]:
        """The model on the CPU, and what transformers reports about missing keys."""
        import transformers

        auto = getattr(transformers, self.auto_class)
        model, info = auto.from_pretrained(source, output_loading_info=True, **options)
        return model, info

    def tokenizer(self, processor: Any) -> Any:
        """The tokenizer inside `processor`."""
        return getattr(processor, "tokenizer", processor)

    # -- rendering ---------------------------------------------------------------------------

    def messages(self, conversation: Conversation) -> list[dict[str, Any]]:
        """The conversation as templates take it: always lists of blocks.

        Several templates silently drop content that is a plain string.
        """
        return [
            {
                "role": message.role,
                "content": [
                    {"type": "text", "text": part.text}
                    if isinstance(part, Text)
                    else {"type": "image"}
                    for part in message.parts
                ],
            }
            for message in conversation.messages
        ]

    def render(self, processor: Any, messages: list[dict[str, Any]], *, prompt: bool) -> str:
        """Apply the chat template; `prompt` asks for the opening of the next answer."""
        text: str = processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=prompt
        )
        return text

    def end_of_turn(self, processor: Any) -> str:
        """The token that ends an answer, as it stands in rendered text."""
        end: str = self.tokenizer(processor).eos_token
        return end

    def encode(self, processor: Any, text: str, images: list[Any]) -> dict[str, Any]:
        """Run the processor on one rendered row.

        Returns:
            what the model takes, as tensors with a leading batch dimension of 1, and beside it
            `offset_mapping` [1, tokens, 2] and `text_replacement_offsets` (a list of one list).
        """
        options: dict[str, Any] = {"return_tensors": "pt", "return_offsets_mapping": True}
        if self.starts_with_bos(processor, text):
            options["add_special_tokens"] = False
        if images:
            options["images"] = [images]
        if hasattr(processor, "image_processor"):
            options["return_text_replacement_offsets"] = True
        return dict(processor(text=[text], **options))

    def starts_with_bos(self, processor: Any, text: str) -> bool:
        """Whether the template already wrote the start token; tokenising would double it."""
        bos = self.tokenizer(processor).bos_token
        return bool(bos) and text.startswith(bos)

    def image_token_ids(self, processor: Any) -> frozenset[int]:
        """The ids that stand for image features; they are never cut and never carry loss."""
        ids = getattr(processor, "image_token_ids", None) or ()
        return frozenset(int(i) for i in ids if i is not None)

    # -- batching ----------------------------------------------------------------------------

    def absent_images(self, key: str, example: Any) -> Any | None:
        """What a row without images contributes to `key` of a batch; None is nothing."""
        return None

    # -- smoke tests -------------------------------------------------------------------------

    def write_tiny(self, folder: Path, *, seed: int, width: int, layers: int) -> None:
        """Write a random, untrained base of this family that the stock classes load.

        Raises:
            NotImplementedError: no tiny base is defined for this family.
        """
        raise NotImplementedError(f"no tiny base is defined for {self.name}")
