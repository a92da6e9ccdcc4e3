"""Asking a person for a key's passphrase."""

from __future__ import annotations

import os

from kolm_cli.cli.output import Output
from kolm_cli.core.errors import InputError, Problem


def ask() -> str:
    """The passphrase of a stored key; empty when nobody is there to ask."""
    return Output.secret("Passphrase of the key") if Output.asks() else ""


def choose() -> str:
    """A passphrase for a new key: `KOLM_KEY_PASSPHRASE`, or typed twice."""
    if given := os.environ.get("KOLM_KEY_PASSPHRASE"):
        return given
    text = Output.secret("Passphrase for the new key", twice=True)
    if not text:
        raise InputError(
            Problem(
                "an empty passphrase protects nothing", fix="type one, or leave --passphrase out"
            )
        )
    return text
