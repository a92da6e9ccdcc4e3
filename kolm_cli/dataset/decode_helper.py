"""A process that decodes images for another one: `python -m kolm_cli.dataset.decode_helper`.

Standard input holds images, each after its length in eight bytes; standard output gets a line of
JSON for each. It keeps a crash of a decoder away from whoever asked.
"""

from __future__ import annotations

import json
from typing import BinaryIO

from kolm_cli.dataset.looks import looks_of
from kolm_cli.records.pictures import MAX_BYTES, ImageError, decode_rgb, pixel_digest


def looked_at(data: bytes) -> list[int | str]:
    """The digest of an image's pixels, width, height and looks; or why it cannot be read."""
    try:
        image = decode_rgb(data)
    except ImageError as error:
        return [str(error)]
    return [pixel_digest(image), image.width, image.height, looks_of(image)]


def main(source: BinaryIO, target: BinaryIO) -> None:
    """Answer until the input ends."""
    while len(head := source.read(8)) == 8:
        length = int.from_bytes(head, "big")
        if length > MAX_BYTES + 1:
            return
        target.write(json.dumps(looked_at(source.read(length))).encode() + b"\n")
        target.flush()


if __name__ == "__main__":
    # Its output is a pipe to the process that asked.
    with open(0, "rb", closefd=False) as source, open(1, "wb", closefd=False) as target:
        main(source, target)
