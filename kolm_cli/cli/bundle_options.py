"""How the commands that use a bundle let it be named, and what they demand of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BundleArgument = Annotated[
    str, typer.Argument(help="A .kolm file, NAME:TAG, NAME or a CID.", show_default=False)
]
TrustOption = Annotated[
    Path | None, typer.Option("--trust", help="A trust file, instead of your own.")
]
CidOption = Annotated[str | None, typer.Option("--cid", help="The CID that it must have.")]
AllowUntrustedOption = Annotated[
    bool, typer.Option("--allow-untrusted", help="Take what is intact, whoever signed it.")
]
