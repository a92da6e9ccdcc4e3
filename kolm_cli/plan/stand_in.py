"""A processor for a published model that is not here: its image processor, a guessed tokenizer.

Image tokens are exact, since they come from the family's own image processor with the published
settings. Text is counted in bytes, four to a token.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from kolm_cli.encoding.encoded import IGNORE, Encoded, TooLongError
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.families.base import Family
from kolm_cli.families.coordinates import Size
from kolm_cli.families.tiny.catalog import makers
from kolm_cli.plan.published_models import Published
from kolm_cli.records.row import Row

BYTES_A_TOKEN = 4
# The stand-in's tokens below are bytes, the others special.
_BYTES = 256


def stand_in_processor(family: Family, published: Published) -> Any:
    """The family's processor with published settings of pictures, and a tokenizer of bytes."""
    kinds = makers(family)
    pieces = kinds[published.variant or next(iter(kinds))](64, 2)
    made = pieces.processor
    parts = {name: getattr(made, name) for name in type(made).get_attributes()}
    if "image_processor" in parts and published.images:
        parts["image_processor"] = type(parts["image_processor"])(**published.images)
    options = {"chat_template": made.chat_template, **published.processor}
    kept = {"patch_size", "vision_feature_select_strategy", "num_additional_image_tokens"}
    for name in kept & set(vars(made)) - set(options):
        options[name] = getattr(made, name)
    return family.with_template(type(made)(**parts, **options))


@dataclass(frozen=True)
class StandInEncoder(Encoder):
    """Encodes rows with a stand-in processor, and thins out their text to the tokens it would have.

    Attributes:
        image_id: the id that the published model has for image tokens; None keeps the stand-in's.
    """

    image_id: int | None = field(default=None)

    def _as_it_is(
        self, row: Row, sizes: Sequence[Size], images: Sequence[Any], *, prompt: bool
    ) -> Encoded:
        """A row, about: its bytes are thinned out before it is cut."""
        limits = replace(self.limits, max_tokens=None, fit=False)
        whole = Encoder(self.family, self.processor, limits, self.loss_on)
        encoded = whole._as_it_is(row, sizes, images, prompt=prompt)
        return self._fit(encoded, self.limits.max_tokens)

    def _fit(self, encoded: Encoded, budget: int | None) -> Encoded:
        ids = encoded.sequence["input_ids"]
        supervised = (
            torch.zeros_like(ids, dtype=torch.bool)
            if encoded.labels is None
            else encoded.labels != IGNORE
        )
        text = (ids >= 0) & (ids < _BYTES)
        keep = ~text
        for side in (text & supervised, text & ~supervised):
            keep |= side & ((side.cumsum(0) - 1) % BYTES_A_TOKEN == 0)
        short = 0 if budget is None else int(keep.sum()) - budget
        if budget is not None and short > 0:
            prompt = (keep & text & ~supervised).nonzero().flatten()
            if len(prompt) <= short:
                raise TooLongError(
                    f"images and answers alone need {budget + short - len(prompt)} tokens,"
                    f" and train.max_seq_length is {budget}"
                )
            keep[prompt[:short]] = False
        sequence = {key: value[keep] for key, value in encoded.sequence.items()}
        if self.image_id is not None:
            ids = sequence["input_ids"]
            # Marks around a picture are image tokens too, but no feature goes there.
            place = getattr(self.processor, "image_token_id", None)
            for known in self.image_token_ids & {place} or self.image_token_ids:
                ids = torch.where(ids == known, self.image_id, ids)
            sequence["input_ids"] = ids
        labels = None if encoded.labels is None else encoded.labels[keep]
        return replace(encoded, sequence=sequence, labels=labels, cut=max(0, short))


def image_id(config: Mapping[str, Any]) -> int | None:
    """The image token's id by a parsed `config.json`, under either of its names; or its default."""
    found = config.get("image_token_id", config.get("image_token_index"))
    if found is None:
        import transformers

        values = copy.deepcopy(dict(config))
        made = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
        found = getattr(made, "image_token_id", None)
    return None if found is None else int(found)
