"""What a message may say about itself: whether it is learned, and keys that are no part of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kolm_cli.core.names import likely
from kolm_cli.formats.fields import Fields
from kolm_cli.formats.image_references import WISHES
from kolm_cli.formats.kinds import kind_of
from kolm_cli.records.conversation import Role
from kolm_cli.records.pictures import MAX_PIXELS

# OpenAI's, axolotl's, ms-swift's and kolm's own way to keep a turn out of the loss.
LEARN = ("weight", "train", "loss", "learn")
_READ = frozenset({"role", "content", "from", "value", "type", *LEARN})
# They say nothing that a model is shown or learns.
_HARMLESS = frozenset(
    {"id", "name", "index", "status", "created", "timestamp", "refusal", "annotations", "logprobs"}
    | {"cache_control", "detail", "media_type", "citations", "signature", "phase", "object"}
)
# They change what is shown, said or learned, and kolm does not do what they ask.
_REFUSED = frozenset(
    {"tool_calls", "function_call", "tool_call_id", "tool_responses", "audio", "video", "videos"}
    | {"prefix", "prefill", "continue", "eot", "train_detail", "training"}
    | {"loss_scale", "loss_mask", "mask", "masked", "weights", "loss_weight", "no_loss"}
    | {"trainable", "ignore", "ignored", "train_on_turn"}
    | {"min_pixels", "max_pixels", "resized_height", "resized_width", "nframes", "fps"}
    | {"objects", "boxes", "bbox", "bbox_2d", "points", "crop", "chosen", "rejected"}
)

# Of these, the value that asks for nothing.
_ASKS_NOTHING = {"trainable": True, "train_on_turn": True, "ignore": False, "ignored": False,
                 "no_loss": False}  # fmt: skip


def wishes(fields: Fields, part: Mapping[str, Any], place: str) -> tuple[tuple[str, int], ...]:
    """How large a part asks to show its image, sorted by name."""
    found: dict[str, int] = {}
    for key in sorted(WISHES):
        value = part.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_PIXELS:
            fields.problem(
                f"{place}.{key}: {kind_of(value)} is no number of pixels",
                f"write a whole number from 1 to {MAX_PIXELS}",
            )
            continue
        found[key] = value
    if found.get("resized_height", 1) * found.get("resized_width", 1) > MAX_PIXELS:
        fields.problem(f"{place}: asks for more than the {MAX_PIXELS} pixels allowed")
    return tuple(found.items())


def learned(fields: Fields, message: Mapping[str, Any], role: Role | None, place: str) -> bool:
    """Whether the message is to be learned, as its keys say."""
    said: dict[str, bool] = {}
    for key in LEARN:
        value = message.get(key)
        if value is None:
            continue
        if value not in (0, 1) or not isinstance(value, int | float):
            shown = repr(value) if isinstance(value, float | str) else kind_of(value)
            fields.problem(
                f"{place}.{key}: {shown} is neither 0 nor 1",
                "a message is learned (1, true) or not (0, false)",
            )
            continue
        said[key] = bool(value)
    if len(set(said.values())) > 1:
        fields.problem(f"{place}: {' and '.join(said)} contradict each other")
    if role in ("user", "system") and any(said.values()):
        key = next(key for key in said if said[key])
        fields.problem(f"{place}.{key}: kolm trains the assistant's messages only")
        return True
    return all(said.values())


def check(
    fields: Fields,
    item: Mapping[str, Any],
    place: str,
    known: frozenset[str],
    *,
    part: bool = False,
) -> None:
    """Refuse keys that change what the message means, and name the other unknown ones.

    Args:
        fields: the row.
        item: the message or part.
        place: where it is, in messages.
        known: the keys that are read from it, beside those of every message.
        part: it is a part of a message, of which nothing is kept out of the loss.
    """
    for key, value in item.items():
        if part and key in LEARN and value is not None and value not in (1, True):
            fields.problem(
                f"{place}.{key}: a message is learned whole, or not at all",
                f"write {key} on the message",
                kind=f"refused-key:{key}",
            )
        if key in known or key in _READ or key in _HARMLESS or value in (None, "", [], {}):
            continue
        name = key if isinstance(key, str) else kind_of(key)
        if name in _ASKS_NOTHING and value is _ASKS_NOTHING[name]:
            continue
        if name in _REFUSED:
            fields.problem(
                f"{place}.{name}: changes what the row means, and kolm does not do what it asks",
                "leave the key or the row out",
                kind=f"refused-key:{name}",
            )
        elif close := likely(name, LEARN, nearly=True):
            fields.problem(
                f"{place}: unknown key {name!r}",
                f"did you mean {close}?",
                kind=f"misspelt:{name}",
            )
        else:
            fields.foreign.add(f"{place.split('[')[0]}[].{name}")
