"""PaliGemma: SigLIP before Gemma; image and question see each other both ways, no chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kolm_cli.families import coordinates, shown
from kolm_cli.families.base import Family, Paper, Takes


@dataclass(frozen=True)
class PaliGemma(Family):
    """PaliGemma 1 and 2 (arXiv:2407.07726): image, start token, question, newline, answer."""

    def with_template(self, processor: Any) -> Any:
        """There is no chat template to look for: `render` is the published format."""
        return processor

    def render(self, processor: Any, messages: list[dict[str, Any]], *, prompt: bool) -> str:
        """Images first, then the start token, the question and a newline."""
        tokenizer = self.tokenizer(processor)
        question = messages[0]["content"]
        marks = processor.image_token * sum(part["type"] == "image" for part in question)
        asked = "".join(part["text"] for part in question if part["type"] == "text")
        text = f"{marks}{tokenizer.bos_token}{asked}\n"
        if prompt:
            return text
        answer = "".join(part["text"] for part in messages[1]["content"])
        return text + answer + self.end_of_turn(processor)

    def encode(self, processor: Any, text: str, images: list[Any]) -> dict[str, Any]:
        """The processor's own steps on text that is complete already.

        Called as a whole, it would put a start token after the last image and a newline at the
        end of the text, which here is the end of an answer.
        """
        pixels = processor.image_processor(images, return_tensors="pt")
        mark = processor.image_token * processor.image_seq_length
        [expanded], replaced = processor.get_text_with_replacements([text], [mark] * len(images))
        encoded = self.tokenizer(processor)(
            [expanded], add_special_tokens=False, return_offsets_mapping=True, return_tensors="pt"
        )
        return {**encoded, "text_replacement_offsets": replaced, **pixels}

    def finish_row(self, sequence: dict[str, Any], supervised: Sequence[bool]) -> None:
        """Mark the answer: what comes before it is seen both ways, the answer causally."""
        import torch

        sequence["token_type_ids"] = torch.tensor(supervised, dtype=torch.long)


FAMILY = PaliGemma(
    name="paligemma",
    model_types=("paligemma",),
    id_patterns=("*paligemma*",),
    written_for=(
        "google/paligemma-3b-mix-224",
        "google/paligemma2-3b-mix-224",
        "google/paligemma2-3b-pt-224",
    ),
    papers=(
        Paper("PaliGemma: A versatile 3B VLM for transfer", "https://arxiv.org/abs/2407.07726"),
        Paper("PaliGemma 2: A Family of Versatile VLMs", "https://arxiv.org/abs/2412.03555"),
    ),
    vision=("model.vision_tower",),
    projector=("model.multi_modal_projector",),
    projector_lora=("linear",),
    language=("model.language_model",),
    coordinates=coordinates.PALIGEMMA,
    takes=Takes(text_only=False, several_turns=False, system=False),
    shown_size=shown.one_size,
)
