"""Images, rows and pairs, made in a line each."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.records.conversation import Conversation
from tests.support.command import Done

Kolm = Callable[..., Done]


def png(colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (8, 6)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def write_rows(path: Path, rows: Sequence[object]) -> Path:
    """Write rows as JSON lines; text is written as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def put(
    store: Store,
    text: str,
    *colours: int,
    namespace: str = "ns",
    response: str = "r",
    **more: object,
) -> int:
    """Put a pair into a store; returns its number."""
    images = {sha256_bytes(data): data for data in (png((c, c, c)) for c in colours)}
    conversation = Conversation.of(text, response, tuple(images))
    return store.add(namespace, conversation, images, source="test", **more).id  # type: ignore[arg-type]
