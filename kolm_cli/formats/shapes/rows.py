"""`{"image": ..., "prompt": ..., "response": ...}`: kolm's own rows.

`images` for several, `answers` for further accepted answers, `system`, `model`, `tags`, `time`
and `review` when there is more to say; `group`, `weight` and `metric` for how it is judged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, get_args

from kolm_cli.formats.fields import Fields, Shape
from kolm_cli.formats.shapes import markers
from kolm_cli.formats.writing import CannotError, Exported, ImageForms
from kolm_cli.records.conversation import Conversation, Image, ReviewState
from kolm_cli.records.judging_tags import judging_of, judging_tags
from kolm_cli.records.pair import Pair
from kolm_cli.scoring import judging

KEYS = frozenset(
    {"image", "images", "prompt", "response", "answers", "system", *("model", "tags"), "time"}
    | {"review", "id", *judging.KEYS}
)


def claims(record: Mapping[str, Any]) -> bool:
    """Prompt and answer are plain text fields."""
    return "prompt" in record and ("response" in record or "answers" in record)


def parse(fields: Fields) -> Pair | None:
    """Read one row."""
    record = fields.record
    # A prompt that is null is empty, as a table must say it; one that is not there is a mistake.
    fields.check_keys(KEYS, required=() if "prompt" in record else ("prompt",))
    shown: tuple[str, ...] = ()
    if record.get("image") is not None and record.get("images") is not None:
        fields.problem("has both 'image' and 'images'", "keep one of them")
    elif record.get("images") is not None:
        shown = fields.image_list(record["images"], "images")
    elif record.get("image") is not None:
        shown = fields.image_list(record["image"], "image")
    elif not {"image", "images"} & (fields.unread | record.keys()):
        fields.missing("image", 'write "images": [] when the row has none on purpose')
    response, further = answers(fields)
    prompt = fields.text("prompt")
    if not fields.problems and (wrong := markers.mismatch(markers.count(prompt), len(shown))):
        fields.problem(wrong, markers.FIX)
    asked = markers.asked(prompt, shown)
    conversation = Conversation.asking(asked, response, system=fields.text("system"))
    return Pair(conversation, further, **extras(fields))


def answers(fields: Fields, key: str = "response") -> tuple[str, tuple[str, ...]]:
    """The response, and the further accepted answers without it.

    Where one is repeated, they are what several people said, and all of them are kept: how often
    counts for some metrics.
    """
    listed = fields.texts("answers")
    if any(not answer.strip() for answer in listed):
        fields.problem("answers: one of them is empty")
    if fields.record.get(key) is None:
        if not listed and "answers" not in fields.unread and not fields.asking:
            fields.missing(key)
        response = listed[0] if listed else ""
    else:
        response = fields.answer(fields.record[key], key)
    if len(set(listed)) < len(listed):
        return response, listed
    return response, tuple(a for a in listed if a != response)


def extras(fields: Fields) -> dict[str, Any]:
    """What a row may say beside the conversation: model, tags, time, review state."""
    from kolm_cli.core.errors import InputError
    from kolm_cli.core.times import parse_time

    captured = None
    if when := fields.text("time"):
        try:
            captured = parse_time(when)
        except InputError as error:
            fields.problem(f"time: {error.problems[0].what}")
    review = fields.text("review") or "pending"
    if review not in get_args(ReviewState):
        fields.problem(f"review: {review!r} is not pending, accepted or rejected")
        review = "pending"
    tags = tuple(dict.fromkeys((*fields.texts("tags"), *_judging(fields))))
    try:
        judging_of(tags)
    except (ValueError, InputError) as error:
        fields.problem(str(error))
    return {"model": fields.text("model"), "tags": tags, "captured": captured, "review": review}


def _judging(fields: Fields) -> tuple[str, ...]:
    """The tags that keep what a row says of its own judging."""
    from kolm_cli.core.errors import InputError

    said = {k: v for k in judging.KEYS if (v := fields.record.get(k)) is not None}
    if isinstance(said.get("weight"), str):
        # A table without types holds numbers as texts.
        with contextlib.suppress(ValueError):
            said["weight"] = float(said["weight"])
    try:
        return judging_tags(said)
    except (ValueError, InputError) as error:
        fields.problem(str(error))
        return ()


def render(pair: Exported, images: ImageForms) -> dict[str, Any]:
    """The row that `parse` reads."""
    messages = pair.conversation.messages
    record: dict[str, Any] = {}
    if messages[0].role == "system":
        record["system"] = messages[0].text
        messages = messages[1:]
    if len(messages) != 2 or messages[0].role != "user":
        raise CannotError("rows hold one question and one answer, and this has several turns")
    asked = messages[0].parts
    if any(isinstance(part, Image) for part in asked[len(pair.conversation.images) :]):
        raise CannotError("rows have images before the question, and here one comes after text")
    shown = [images.reference(sha256) for sha256 in pair.conversation.images]
    if len(shown) == 1:
        record["image"] = shown[0]
    else:
        record["images"] = shown
    return {
        **record,
        "prompt": markers.literal(messages[0].text),
        "response": pair.conversation.response,
        **pair.extras(),
    }


SHAPE = Shape(
    "rows",
    "rows of image|images, prompt, response (kolm's own)",
    claims,
    parse,
    KEYS,
    render,
    columns=(("image", "images"), ("prompt",), ("response", "answers")),
)
