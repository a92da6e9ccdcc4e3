"""The frozen dataset: rows and images in a run folder, immune to later edits of their sources."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kolm_cli.core.files import atomic_writer, write_atomic
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.images import ImageSource, PathImage, StoredImage
from kolm_cli.records.row import Row
from kolm_cli.records.spool import SpooledImage
from kolm_cli.scoring.judging import Judging

# For each row, what is known of each of its images.
Pictures = Sequence[Sequence[Mapping[str, Any]]]


def freeze(rows: Iterable[Row], folder: Path, split: str) -> None:
    """Write `rows` as `{folder}/{split}.jsonl` and their images under `{folder}/images/`.

    Images of the capture store, and those that were inside rows, are linked and not read; files of
    users are copied, since a user may write into them. Whoever reads a frozen image compares it
    with its digest.
    """
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True, mode=0o700)
    with atomic_writer(folder / f"{split}.jsonl", mode=0o600) as stream:
        for row in rows:
            for sha256, source in row.images.items():
                target = images / sha256
                if not target.exists() and not _linked(source, target):
                    write_atomic(target, source.read(), mode=0o600, durable=False)
            record = {
                "id": row.id,
                "conversation": row.conversation.as_json(),
                "answers": list(row.answers),
                "provenance": dict(row.provenance),
            }
            if own := row.judging.as_json():
                record["judging"] = own
            stream.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def _linked(source: ImageSource, target: Path) -> bool:
    """Whether `target` is now another name of the source's file."""
    if isinstance(source, StoredImage):
        file = source.path
    elif isinstance(source, SpooledImage):
        file = source.file
    else:
        return False
    try:
        target.hardlink_to(file)
    except OSError:
        return False  # Another file system, one without links, or a store that lost the file.
    return True


def note_outside(images: int, folder: Path, split: str) -> None:
    """Keep, beside the frozen rows, how many of their images were outside the data's folder."""
    write_atomic(folder / f"{split}.outside.json", json.dumps(images).encode(), mode=0o600)


def outside_of(folder: Path, split: str) -> int:
    """What `note_outside` kept; 0 where it kept nothing."""
    try:
        return int(json.loads((folder / f"{split}.outside.json").read_bytes()))
    except FileNotFoundError:
        return 0


def thaw(folder: Path, split: str) -> Iterator[Row]:
    """Read back what `freeze` wrote, in its order."""
    images = folder / "images"
    with (folder / f"{split}.jsonl").open(encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            conversation = Conversation.from_json(record["conversation"])
            yield Row(
                id=record["id"],
                conversation=conversation,
                images={
                    sha256: PathImage(images / sha256, sha256) for sha256 in conversation.images
                },
                answers=tuple(record["answers"]),
                provenance=record["provenance"],
                judging=Judging.of(record.get("judging", {})),
            )


def note_pictures(
    pictures: Sequence[Sequence[Mapping[str, Any]]], folder: Path, split: str
) -> None:
    """Keep, beside the frozen rows, how each image of each row is shown to the model."""
    data = json.dumps(pictures, separators=(",", ":")).encode()
    write_atomic(folder / f"{split}.pictures.json", data, mode=0o600)


def pictures_of(folder: Path, split: str) -> Pictures | None:
    """What `note_pictures` kept; None where it kept nothing."""
    try:
        found: list[list[dict[str, Any]]] = json.loads(
            (folder / f"{split}.pictures.json").read_bytes()
        )
    except FileNotFoundError:
        return None
    return found
