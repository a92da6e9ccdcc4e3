"""A bundle's files while it is used."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.spec_file import read_spec
from kolm_cli.core.errors import VerificationError
from kolm_cli.spec.model import Spec
from kolm_cli.spec.wording import problems_of


@dataclass(frozen=True)
class Unpacked:
    """A bundle's files, each checked against the manifest while it was written.

    Attributes:
        folder: a private folder, which lasts as long as the context that made it.
        cid: the bundle's CID.
        manifest: the parsed manifest.
    """

    folder: Path
    cid: str
    manifest: dict[str, Any]

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The spec as the bundle holds it, within the limits of any spec; defaults filled in.

        Raises:
            VerificationError: it is not one that `kolm compile` would have taken.
        """
        said = read_spec((self.folder / layout.SPEC).read_bytes())
        try:
            return Spec.model_validate(said).model_dump(mode="json")
        except ValidationError as error:
            raise VerificationError(*problems_of(error, lambda loc, key: layout.SPEC)) from error
