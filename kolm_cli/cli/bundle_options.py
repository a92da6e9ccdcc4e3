"""How the commands that use a bundle let it be named, and what they demand of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from kolm_cli.core.errors import InputError, Problem

CID_LENGTH = 59
# Seven characters are the same in all: these leave 105 bits to find.
MIN_PINNED = 28

BundleArgument = Annotated[
    str, typer.Argument(help="A .kolm file, NAME:TAG, NAME or a CID.", show_default=False)
]
TrustOption = Annotated[
    Path | None, typer.Option("--trust", help="A trust file, instead of your own.")
]


def _checked_cid(cid: str | None) -> str | None:
    """A whole CID, or enough of one that nobody makes another bundle with the same beginning."""
    if cid is not None and not re.fullmatch(
        rf"b[a-z2-7]{{{MIN_PINNED - 1},{CID_LENGTH - 1}}}", cid
    ):
        fix = f"write the CID, or at least its first {MIN_PINNED} characters"
        raise InputError(Problem(f"{cid!r:.80} is not a CID", "--cid", fix))
    return cid


CidOption = Annotated[
    str | None,
    typer.Option("--cid", help="The CID that it must have.", callback=_checked_cid),
]
AllowUntrustedOption = Annotated[
    bool, typer.Option("--allow-untrusted", help="Take what is intact, whoever signed it.")
]
BaseOption = Annotated[
    Path | None, typer.Option("--base", help="Where a local base is, if not where it was.")
]
DeviceOption = Annotated[
    Literal["cpu", "cuda"] | None, typer.Option("--device", help="Instead of the spec's.")
]
