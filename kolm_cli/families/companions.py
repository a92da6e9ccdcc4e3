"""Checkpoints that another one needs beside its own: found by hub id, all lacking ones named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kolm_cli.core.errors import LackingError, Problem


@dataclass(frozen=True)
class Companion:
    """A checkpoint on this machine that a base is loaded with.

    Attributes:
        repository: its hub id.
        folder: where its files are.
    """

    repository: str
    folder: Path


def find(repositories: Sequence[str]) -> tuple[Companion, ...]:
    """Each repository's files, fetched where the network allows it.

    Raises:
        LackingError: names every one that is not on this machine and cannot be fetched.
    """
    if not repositories:
        return ()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )

    found, problems = [], []
    for repository in repositories:
        try:
            folder = snapshot_download(repository, allow_patterns=["*.safetensors", "*.json"])
        except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
            problems.append(
                Problem(
                    "the base needs it beside its own weights; it is not on this machine, and the"
                    f" hub could not be asked ({type(error).__name__})",
                    where=repository,
                    fix=f"run `hf download {repository}` where there is a network",
                )
            )
        else:
            found.append(Companion(repository, Path(folder)))
    if problems:
        raise LackingError(*problems)
    return tuple(found)
