"""`spec.yaml` in a bundle, read within bounds: a stranger may have written it."""

from __future__ import annotations

from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.core.errors import InputError, VerificationError
from kolm_cli.core.yaml_positions import parse


def read_spec(data: bytes) -> dict[str, Any]:
    """The settings: text, numbers, booleans, nulls, lists and mappings with text keys.

    What aliases expand to is bounded, and a date is text, as it was written.

    Raises:
        VerificationError: it is not YAML, not a mapping, beyond the limits, or says a key twice.
    """
    try:
        document = parse(data, layout.SPEC)
    except InputError as error:
        raise VerificationError(*error.problems) from error
    if document.problems:
        raise VerificationError(*document.problems)
    if not isinstance(document.value, dict):
        raise VerificationError(f"{layout.SPEC} is not a mapping")
    return document.value
