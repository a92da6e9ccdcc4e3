"""Drawing a picture in a terminal that can: Kitty's or iTerm's protocol, or colored blocks."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Mapping
from typing import Literal

from kolm_cli.core.printable import one_line

Way = Literal["kitty", "iterm", "blocks"]
_KITTY_CHUNK = 4096


def way(environment: Mapping[str, str]) -> Way | None:
    """How the terminal that `environment` describes shows pictures; None when it cannot."""
    program = environment.get("TERM_PROGRAM", "")
    term = environment.get("TERM", "")
    if environment.get("KITTY_WINDOW_ID") or "kitty" in term or program == "ghostty":
        return "kitty"
    if program in ("iTerm.app", "WezTerm", "mintty", "vscode"):
        return "iterm"
    if environment.get("COLORTERM") in ("truecolor", "24bit") and not environment.get("NO_COLOR"):
        return "blocks"
    return None


def draw(data: bytes, by: Way) -> str:
    """The characters that show the image; decoded here first, so that only pixels pass on."""
    from PIL import Image

    from kolm_cli.records.pictures import ImageError, decode_rgb, encode_png

    try:
        image = decode_rgb(data)
    except ImageError as error:
        return f"[cannot be drawn: {one_line(str(error))}]"
    columns = min(60, shutil.get_terminal_size().columns)
    if by == "blocks":
        # Two pixels in one character cell: the upper half block, and the background below it.
        width = min(columns, image.width)
        height = max(2, 2 * round(image.height * width / image.width / 2))
        small = image.resize((width, height), Image.Resampling.BOX)
        return _blocks(small)
    image.thumbnail((columns * 10, columns * 10))
    encoded = base64.b64encode(encode_png(image)).decode()
    if by == "iterm":
        size = len(base64.b64decode(encoded))
        return f"\x1b]1337;File=inline=1;size={size};preserveAspectRatio=1:{encoded}\a"
    return _kitty(encoded)


def _blocks(image: object) -> str:
    from PIL import Image

    assert isinstance(image, Image.Image)  # noqa: S101 - for the type checker
    lines = []
    for y in range(0, image.height, 2):
        cells = []
        for x in range(image.width):
            upper, lower = image.getpixel((x, y)), image.getpixel((x, y + 1))
            assert isinstance(upper, tuple)  # noqa: S101 - RGB
            assert isinstance(lower, tuple)  # noqa: S101 - RGB
            cells.append(
                f"\x1b[38;2;{upper[0]};{upper[1]};{upper[2]};"
                f"48;2;{lower[0]};{lower[1]};{lower[2]}m▀"
            )
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines)


def _kitty(encoded: str) -> str:
    chunks = [encoded[i : i + _KITTY_CHUNK] for i in range(0, len(encoded), _KITTY_CHUNK)]
    buffer = io.StringIO()
    for index, chunk in enumerate(chunks):
        more = int(index < len(chunks) - 1)
        head = f"a=T,f=100,m={more}" if index == 0 else f"m={more}"
        buffer.write(f"\x1b_G{head};{chunk}\x1b\\")
    return buffer.getvalue()
