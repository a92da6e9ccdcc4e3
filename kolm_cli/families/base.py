"""What kolm must know about a model family to train it without guessing."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.globs import matches_any
from kolm_cli.families import shown
from kolm_cli.families.coordinates import Coordinates, Size
from kolm_cli.families.image_limits import ImageLimits, ImageSizing, limit_images
from kolm_cli.families.support import Support, Supported
from kolm_cli.families.vision_features import VisionFeatures
from kolm_cli.records.conversation import Conversation, Text

PartName = Literal["vision", "projector", "language", "head", "other"]
PARTS: tuple[PartName, ...] = get_args(PartName)

# The linear layers of a Llama-like decoder block that LoRA adapts by default.
LLAMA_LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

# Special tokens with which Qwen's models write objects and boxes into their answers
# (Qwen2-VL, arXiv:2409.12191, section 2.1).
QWEN_BOXES = (
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
)

# As narrow a picture may be taken for the colors of another.
_AMBIGUOUS = 4

# Templates that write today's date would give other training text tomorrow. Only plain data can be
# handed to a template, so that a macro of the same name comes first; the day is the one that
# Llama's own template falls back to.
_PINNED_DAY = (
    "{% macro strftime_now(form) %}{{ form"
    + "".join(
        f" | replace('%{code}', '{value}')"
        for code, value in {
            "Y": "2024",
            "m": "07",
            "d": "26",
            "b": "Jul",
            "B": "July",
            "a": "Fri",
            "A": "Friday",
            "H": "12",
            "M": "00",
            "S": "00",
        }.items()
    )
    + " }}{% endmacro %}"
)


def chat_template(processor: Any) -> str:
    """The template that a processor renders conversations with; empty where there is none."""
    template = getattr(processor, "chat_template", None)
    if isinstance(template, dict):
        template = template.get("default")
    return template or ""


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
        name: the catalog name.
        model_types: the `model_type`s of a config that belong to it; the first is canonical.
        id_patterns: shell patterns over lower-case hub ids or folder names.
        written_for: hub ids that the family was written for.
        lora_default: leaf names of the linear layers inside `language` that `default` adapts.
        projector_lora: how the names of the projector's layers end that can take LoRA: linear
            layers, which servers of LoRA know. None for a projector of bare parameters.
        end_tokens: tokens that end an answer, the first that the tokenizer has; its `eos_token`
            when it has none of them.
        content_tokens: special tokens that are part of an answer, such as those of boxes.
        coordinates: how its models write boxes and points; None where their authors do not say.
        image_sizing: how limits on the size of pictures reach its processor; None where every
            picture is shown at one size.
        shown_size: the size at which a picture is shown; None where it is not known.
        sketches: its image processor counts tokens by the shapes of tensors.
        auto_class: the transformers class that loads the model.
        native: the package in `families/native` whose classes answer for `model_types`; empty for
            families that transformers has.
        processor_files: files beside the weights, one of which a processor is made from.
        image_keys: processor outputs that are about images even where their shape happens to
            look like one value a token.
        image_fill: what image tensors are padded with where it is not zero.
        vision_features: how the tower's output is kept for `cache_vision`; None refuses it.
        not_for: names of export formats that cannot hold this family, and why.
    """

    name: str
    model_types: tuple[str, ...]
    id_patterns: tuple[str, ...]
    written_for: tuple[str, ...]
    papers: tuple[Paper, ...]
    language: tuple[str, ...]
    vision: tuple[str, ...] = ()
    projector: tuple[str, ...] = ()
    projector_lora: tuple[str, ...] = ()
    head: tuple[str, ...] = ("lm_head",)
    other: tuple[str, ...] = ()
    support: Support = field(default_factory=Supported)
    takes: Takes = field(default_factory=Takes)
    lora_default: tuple[str, ...] = LLAMA_LINEARS
    end_tokens: tuple[str, ...] = ()
    content_tokens: tuple[str, ...] = ()
    coordinates: Coordinates | None = None
    image_sizing: ImageSizing | None = None
    shown_size: shown.Rule | None = None
    sketches: bool = True
    auto_class: str = "AutoModelForImageTextToText"
    native: str = ""
    processor_files: tuple[str, ...] = ("processor_config.json", "preprocessor_config.json")
    image_keys: tuple[str, ...] = ("pixel_values", "image_sizes", "image_grid_thw")
    image_fill: Mapping[str, float] = field(default_factory=dict)
    vision_features: VisionFeatures | None = None
    not_for: Mapping[str, str] = field(default_factory=dict)

    def claims_id(self, model_id: str) -> bool:
        """Whether the id or folder name looks like this family's."""
        return matches_any(model_id.lower(), self.id_patterns)

    def claims_config(self, config: Mapping[str, Any]) -> bool:
        """Whether a parsed `config.json` is of this family."""
        return config.get("model_type") in self.model_types

    def prefixes(self, part: PartName) -> tuple[str, ...]:
        """The dotted prefixes of one part."""
        prefixes: tuple[str, ...] = getattr(self, part)
        return prefixes

    # -- loading -----------------------------------------------------------------------------

    def companions(self, folder: Path, config: Mapping[str, Any]) -> tuple[str, ...]:
        """Hub ids of checkpoints that the one in `folder` is loaded with, and does not hold."""
        return ()

    def register(self) -> None:
        """Make transformers know the family's own classes, where it has such."""
        if self.native:
            importlib.import_module(f"kolm_cli.families.native.{self.native}").register()

    def load_processor(self, source: str, **options: Any) -> Any:
        """The processor that turns text and images into model inputs.

        Raises:
            InputError: it has no chat template.
        """
        from transformers import AutoProcessor

        self.register()
        # The back ends differ by up to 1/255 a pixel, and the default is whatever is installed.
        options.setdefault("backend", "torchvision")
        return self.with_template(AutoProcessor.from_pretrained(source, **options))

    def limit_images(self, processor: Any, limits: ImageLimits) -> None:
        """Set how large pictures are shown.

        Raises:
            InputError: this family does not take such a limit, or the value cannot be.
        """
        limit_images(self.name, self.image_sizing, processor, limits)

    def settings_of(self, config: Any, processor: Any) -> dict[str, Any]:
        """What a model's configuration has to say, where its processor holds the same setting."""
        grids = getattr(getattr(processor, "image_processor", None), "image_grid_pinpoints", None)
        if grids is None or not hasattr(config, "image_grid_pinpoints"):
            return {}
        return {"image_grid_pinpoints": [list(grid) for grid in grids]}

    def limited(self, processor: Any, limits: ImageLimits) -> Any:
        """A processor that differs in how large pictures are shown, and shares all else.

        Raises:
            InputError: as `limit_images`.
        """
        copied = copy.copy(processor)
        copied.image_processor = copy.deepcopy(processor.image_processor)
        self.limit_images(copied, limits)
        return copied

    def sketch(self, size: Size) -> Any:
        """What counts the tokens of a picture of this size and costs no pixels.

        The processor's own arithmetic runs on it: a tensor that has a shape and no content.
        """
        if not self.sketches or min(size) <= _AMBIGUOUS:
            from PIL import Image as PILImage

            return PILImage.new("RGB", size)
        import torch

        return torch.empty((3, size[1], size[0]), dtype=torch.uint8, device="meta")

    def shown(self, processor: Any, size: Size) -> Size:
        """Width and height at which the tower sees a picture of this width and height.

        Raises:
            ValueError: the processor refuses such a picture.
        """
        if self.shown_size is None:
            return size
        return self.shown_size(processor, size)

    def follow_processor(self, model: Any, processor: Any) -> None:
        """Bring the model's configuration in line with its processor, where both hold a setting."""
        for name, value in self.settings_of(model.config, processor).items():
            setattr(model.config, name, value)

    def with_template(self, processor: Any) -> Any:
        """`processor`, once it is known to have a chat template.

        Raises:
            InputError: it has none.
        """
        if getattr(processor, "chat_template", None) is None:
            inner = getattr(self.tokenizer(processor), "chat_template", None)
            if inner is None:
                raise InputError(
                    Problem(
                        "its processor has no chat template",
                        where="base.model",
                        fix="take the instruction-tuned checkpoint, or copy its template",
                    )
                )
            # Some processors lose the template on reload, while their tokenizer keeps it.
            processor.chat_template = inner
        return processor

    def load_model(self, source: str, **options: Any) -> tuple[Any, dict[str, Any]]:
        """The model on the CPU, and what transformers reports about missing keys."""
        import transformers

        self.register()
        auto = getattr(transformers, self.auto_class)
        model, info = auto.from_pretrained(source, output_loading_info=True, **options)
        return model, info

    def never_used(self, model: Any) -> tuple[str, ...]:
        """Shell patterns of vision parameters that no answer depends on.

        They stay frozen when the tower trains, since they would never see a gradient. Attention
        keys may be shifted by a constant without effect, so that their bias sees rounding only.
        """
        return ("*.k_proj.bias",)

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
            messages,
            tokenize=False,
            add_generation_prompt=prompt,
            **self.template_options(processor),
        )
        return text

    def template_options(self, processor: Any) -> dict[str, Any]:
        """What the template is given beside the messages.

        Templates that can think are asked not to: the rows hold answers without thoughts.
        """
        template = chat_template(processor)
        options: dict[str, Any] = {}
        if "strftime_now" in template:
            options["chat_template"] = _PINNED_DAY + template
        if "enable_thinking" in template:
            options["enable_thinking"] = False
        return options

    def served_template(self, processor: Any) -> str:
        """The chat template as a server has to hold it to ask as `render` does; empty without one.

        A server passes nothing beside the messages.
        """
        template = getattr(processor, "chat_template", None)
        if not isinstance(template, str):
            return ""
        options = self.template_options(processor)
        whole = str(options.pop("chat_template", template))
        named = (f"{{%- set {name} = {str(value).lower()} -%}}" for name, value in options.items())
        return "".join(named) + whole

    def end_of_turn(self, processor: Any) -> str:
        """The token that ends an answer, as rendered text has it."""
        tokenizer = self.tokenizer(processor)
        unknown = (None, tokenizer.unk_token_id)
        known = (e for e in self.end_tokens if tokenizer.convert_tokens_to_ids(e) not in unknown)
        end: str = next(known, tokenizer.eos_token)
        return end

    def control_tokens(self, processor: Any) -> frozenset[str]:
        """The special tokens that the template owns: all but those that are content."""
        tokenizer = self.tokenizer(processor)
        added = [t.content for t in tokenizer.added_tokens_decoder.values() if t.special]
        return frozenset({*tokenizer.all_special_tokens, *added}) - set(self.content_tokens)

    def reserved(self, processor: Any) -> frozenset[str]:
        """Strings that no row may hold: placeholders, the end token, all control tokens.

        The tokenizer would take them for the template's own, wherever they are.
        """
        marks = [getattr(processor, f"{kind}_token", None) for kind in ("image", "video", "audio")]
        ids = sorted(self.image_token_ids(processor))
        marks += self.tokenizer(processor).convert_ids_to_tokens(ids)
        named = {*filter(None, marks), self.end_of_turn(processor)}
        return frozenset(named) | self.control_tokens(processor)

    def encode(self, processor: Any, text: str, images: list[Any]) -> dict[str, Any]:
        """Run the processor on one rendered row.

        Returns:
            what the model takes, as tensors with a leading batch dimension of 1, and beside it
            `offset_mapping` [1, tokens, 2] and `text_replacement_offsets` (a list of one list).
        """
        options = self.encode_options(processor, text, images)
        return dict(processor(text=[text], return_tensors="pt", **options))

    def encode_options(self, processor: Any, text: str, images: list[Any]) -> dict[str, Any]:
        """What `encode` asks of the processor besides tensors."""
        options: dict[str, Any] = {"return_offsets_mapping": True}
        if self.starts_with_bos(processor, text):
            options["add_special_tokens"] = False
        if images:
            options["images"] = [images]
        if hasattr(processor, "image_processor"):
            options["return_text_replacement_offsets"] = True
        return options

    def starts_with_bos(self, processor: Any, text: str) -> bool:
        """Whether the template already wrote the start token; tokenizing would double it."""
        bos = self.tokenizer(processor).bos_token
        return bool(bos) and text.startswith(bos)

    def image_token_ids(self, processor: Any) -> frozenset[int]:
        """The ids of image features; they are never cut and never carry loss."""
        ids = getattr(processor, "image_token_ids", None) or ()
        return frozenset(int(i) for i in ids if i is not None)

    # -- batching ----------------------------------------------------------------------------

    def finish_row(self, sequence: dict[str, Any], supervised: Sequence[bool]) -> None:
        """Add to a row's per-token tensors [tokens] what depends on where the answers are."""

    def finish_images(self, images: dict[str, Any]) -> None:
        """Bring the joined image tensors of a batch into the shape that the model takes."""
