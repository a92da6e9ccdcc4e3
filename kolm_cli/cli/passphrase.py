"""Asking a person for a key's passphrase."""

from __future__ import annotations

import os
import sys

import typer

from kolm_cli.core.errors import InputError, Problem


def ask() -> str:
    """The passphrase of a stored key; empty when nobody is there to ask."""
    if not sys.stdin.isatty():
        return ""
    text: str = typer.prompt("Passphrase of the key", hide_input=True, err=True)
    return text


def choose() -> str:
    """A passphrase for a new key: `KOLM_KEY_PASSPHRASE`, or typed twice."""
    if given := os.environ.get("KOLM_KEY_PASSPHRASE"):
        return given
    text: str = typer.prompt(
        "Passphrase for the new key", hide_input=True, confirmation_prompt=True, err=True
    )
    if not text:
        raise InputError(Problem("an empty passphrase protects nothing"))
    return text
