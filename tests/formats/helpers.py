"""Conversations of every kind, and the images that they show."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image as Picture

from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.records.conversation import Conversation, Image, Message, Text
from tests.capture.helpers import png

HARD = 'Ünï "quoted", comma; new\nline\r\nand\ttab \\ back \u2028 sep 😀 [1] {x} '
IMAGES = [png((i, 2 * i, 3 * i)) for i in range(6)]
NAMES = [sha256_bytes(data) for data in IMAGES]


def jpeg_turned() -> bytes:
    buffer = io.BytesIO()
    picture = Picture.new("RGB", (20, 10), "navy")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def simple_pairs() -> list[Conversation]:
    turned = sha256_bytes(jpeg_turned())
    return [
        Conversation.of("plain", "answer", (NAMES[0],)),
        Conversation.of(HARD, HARD, (NAMES[1],)),
        Conversation.of("turned", "yes", (turned,)),
        Conversation.of("same image, other question", "b", (NAMES[0],)),
    ]


def system_pairs() -> list[Conversation]:
    return [*simple_pairs(), Conversation.of("q", "a", (NAMES[2],), system="Be brief.\n")]


def many_images() -> list[Conversation]:
    return [
        *system_pairs(),
        Conversation.of("compare", "same", (NAMES[3], NAMES[4])),
        Conversation.of("twice the same", "yes", (NAMES[5], NAMES[5])),
        Conversation.of("no image at all", "right"),
    ]


def every_kind() -> list[Conversation]:
    turns = (
        Message("system", (Text("Look closely."),)),
        Message("user", (Text("First: "), Image(NAMES[0]), Text(" and then "), Image(NAMES[1]))),
        Message("assistant", (Text("I see."),)),
        Message("user", (Text("Now this:"), Image(NAMES[2]), Text("\nwhich?"))),
        Message("assistant", (Text("The <image> you sent last."),)),
    )
    last = (Message("user", (Image(NAMES[3]),)), Message("assistant", (Text("just an image"),)))
    return [*many_images(), Conversation(turns), Conversation(last)]


def fill(namespace: str, pairs: list[Conversation], **more: Any) -> str:
    data = {sha256_bytes(item): item for item in (*IMAGES, jpeg_turned())}
    with Store.open() as store:
        for pair in pairs:
            images = {sha256: data[sha256] for sha256 in pair.images}
            store.add(namespace, pair, images, source="test", **more)
        return store.namespace_digest(namespace)
