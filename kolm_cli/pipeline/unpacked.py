"""A bundle's files while it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.spec_file import read_spec
from kolm_cli.bundle.signing.attestations import read_statement
from kolm_cli.bundle.signing.sigstore import read_envelope
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

    @cached_property
    def trained(self) -> Mapping[str, Any]:
        """The receipt's block `vlm_train`; its signature was verified with the bundle."""
        statement = read_statement(read_envelope((self.folder / layout.RECEIPT).read_bytes()))
        facts = statement["predicate"]["buildDefinition"]["internalParameters"]
        block: Mapping[str, Any] = facts["vlm_train"]
        return block
