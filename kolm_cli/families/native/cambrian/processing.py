"""Text with a picture, expanded to one token a feature."""

from __future__ import annotations

from typing import Any

from transformers import ProcessorMixin


class CambrianProcessor(ProcessorMixin):
    """Four pictures of an image, and Llama's text.

    No token of the vocabulary stands for images: `<image>` is added behind it, with an id that
    the model takes for an image's place and never looks up (the published code writes -200).
    """

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: str | None = None,
        image_token: str = "<image>",
        start_follows_image: bool | None = None,
        **kwargs: Any,
    ) -> None:
        self.image_token = image_token
        # With Llama 3 the published code tokenizes what follows an image by itself, and keeps
        # the start token that this writes.
        if start_follows_image is None:
            start_follows_image = tokenizer.bos_token == "<|begin_of_text|>"
        self.start_follows_image = start_follows_image
        if image_token not in tokenizer.get_vocab():
            tokenizer.add_special_tokens({"additional_special_tokens": [image_token]})
        self.image_token_id = tokenizer.convert_tokens_to_ids(image_token)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def replace_image_token(self, image_inputs: Any, image_idx: int, **kwargs: Any) -> str:
        """One token a feature and newline, and the start token where the published code has it."""
        count = int(image_inputs["num_img_tokens"][image_idx])
        start: str = self.tokenizer.bos_token if self.start_follows_image else ""
        return self.image_token * count + start

    @property
    def unused_input_names(self) -> list[str]:
        """What only the counting of tokens needs."""
        return ["num_img_tokens"]


__all__ = ["CambrianProcessor"]
