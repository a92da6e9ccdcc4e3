"""Text with numbered images, expanded to one token a feature."""

from __future__ import annotations

import re
from typing import Any

from transformers import ProcessorMixin
from transformers.image_utils import make_flat_list_of_images

# What a prompt holds where an image goes: numbers from 1, in order.
PLACEHOLDER = re.compile(r"<\|image_(\d+)\|>")


class Phi3VProcessor(ProcessorMixin):
    """CLIP's images and Phi-3's text.

    Each `<|image_N|>` becomes the vocabulary's own `<|image|>`, once a feature (the published
    code writes negative ids in its stead, which no embedding has). Text between images is
    tokenized by itself in the published code, so that what the tokenizer writes before a text
    also follows each image.
    """

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: str | None = None,
        image_token: str = "<|image|>",
        **kwargs: Any,
    ) -> None:
        self.image_token = image_token
        self.image_token_id = tokenizer.convert_tokens_to_ids(image_token)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def validate_inputs(self, images: Any = None, text: Any = None, **kwargs: Any) -> None:
        """Refuse placeholders that do not count the images of their text from 1 upwards.

        Raises:
            ValueError: they do not, or their number is not that of the images.
        """
        placeholders = 0
        for sample in text or ():
            numbers = [int(number) for number in PLACEHOLDER.findall(sample)]
            if numbers != list(range(1, len(numbers) + 1)):
                raise ValueError(f"images must be numbered from 1 in their order, not {numbers}")
            if self.image_token in sample:
                raise ValueError(
                    f"the text holds {self.image_token}, which is reserved for image features"
                )
            placeholders += len(numbers)
        count = 0 if images is None else len(make_flat_list_of_images(images))
        if text is not None and placeholders != count:
            raise ValueError(f"{placeholders} image placeholders, but {count} images")

    def replace_image_token(self, image_inputs: Any, image_idx: int, **kwargs: Any) -> str:
        """One token a feature, and what the tokenizer writes before a text."""
        count = int(image_inputs["num_img_tokens"][image_idx])
        tokenizer = self.tokenizer
        first = tokenizer("")["input_ids"]
        return self.image_token * count + "".join(tokenizer.convert_ids_to_tokens(first))

    def get_text_with_replacements(
        self, text: list[str], images_replacements: Any = (), *others: Any
    ) -> tuple[list[str], list[list[dict[str, Any]]]]:
        """Expand the placeholders of each text, and say where each stood and stands.

        Returns:
            the texts, and for each a list of what was replaced, with the spans in characters
            before (`span`) and after (`new_span`).
        """
        replacements = iter(images_replacements)
        replaced: list[list[dict[str, Any]]] = []
        for index, sample in enumerate(text):
            found: list[dict[str, Any]] = []

            def expand(match: re.Match[str], found: list[dict[str, Any]] = found) -> str:
                new: str = next(replacements)
                start = match.start() + sum(
                    len(entry["replacement"]) - len(entry["text"]) for entry in found
                )
                found.append(
                    {
                        "type": "image",
                        "span": match.span(),
                        "new_span": (start, start + len(new)),
                        "text": match.group(),
                        "replacement": new,
                    }
                )
                return new

            text[index] = PLACEHOLDER.sub(expand, sample)
            replaced.append(found)
        return text, replaced

    @property
    def unused_input_names(self) -> list[str]:
        """What only the counting of tokens needs."""
        return ["num_img_tokens"]


__all__ = ["Phi3VProcessor"]
