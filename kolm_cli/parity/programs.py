"""Servers that kolm can start on an export, where they are installed.

To add one: a `Program` in `PROGRAMS`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kolm_cli.core.errors import InputError, LackingError, Problem
from kolm_cli.export.manifest import ExportManifest

_VERSION = re.compile(r"\d+(?:\.\d+)+[A-Za-z0-9.+-]*")


@dataclass(frozen=True)
class Exported:
    """An export as a program is started on it.

    Attributes:
        folder: the exported folder.
        manifest: what it says of itself.
        tokens: the most tokens of a prompt and its answer.
    """

    folder: Path
    manifest: ExportManifest
    tokens: int


@dataclass(frozen=True)
class Program:
    """A server.

    Attributes:
        name: how reports call it.
        command: found on PATH.
        version: the command that prints its version; none where the server tells it.
        formats: the exports that it serves.
        arguments: the whole command line, for a port of this machine.
        model: what the server calls the export.
    """

    name: str
    command: str
    version: tuple[str, ...]
    formats: tuple[str, ...]
    arguments: Callable[[Exported, int], Sequence[str]]
    model: Callable[[Exported], str]


def _vllm(export: Exported, port: int) -> list[str]:
    told = ["--host", "127.0.0.1", "--port", str(port), "--max-model-len", str(export.tokens)]
    # Compiling takes longer than the whole pack, and changes no answer.
    told.append("--enforce-eager")
    if export.manifest.to == "vllm":
        return ["sh", str(export.folder / "serve.sh"), *told]
    name, dtype = export.manifest.cid, export.manifest.dtype
    served = ["--served-model-name", name, "--dtype", dtype]
    return ["vllm", "serve", str(export.folder), *served, *told]


def _transformers(export: Exported, port: int) -> list[str]:
    told = ["--host", "127.0.0.1", "--port", str(port), "--dtype", export.manifest.dtype]
    return ["transformers", "serve", str(export.folder), *told]


PROGRAMS = (
    Program(
        name="vLLM",
        command="vllm",
        version=(),
        formats=("vllm", "merged"),
        arguments=_vllm,
        model=lambda export: export.manifest.cid,
    ),
    Program(
        name="transformers serve",
        command="transformers",
        version=("transformers", "version"),
        formats=("merged",),
        arguments=_transformers,
        model=lambda export: str(export.folder),
    ),
)


def version_of(program: Program) -> str:
    """The version that a program prints; empty for one that does not."""
    if not program.version:
        return ""
    try:
        done = subprocess.run(program.version, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = _VERSION.search(done.stdout[:10_000])
    return found[0] if found and done.returncode == 0 else ""


def program_for(to: str, wanted: str) -> Program:
    """The program that an export is checked with.

    Args:
        to: the export's format.
        wanted: the name of its command; empty for the first that is installed.

    Raises:
        InputError: there is no such program, or none that serves this format.
        LackingError: it is not installed.
    """
    commands = ", ".join(program.command for program in PROGRAMS)
    if wanted and all(program.command != wanted for program in PROGRAMS):
        raise InputError(
            Problem(
                "no such program is known", f"--check-with {wanted:.40}", f"write one of {commands}"
            )
        )
    fitting = [p for p in PROGRAMS if to in p.formats and wanted in ("", p.command)]
    if not fitting:
        others = sorted({to for p in PROGRAMS for to in p.formats})
        raise InputError(
            Problem(
                f"kolm starts no server on --to {to}",
                where="--check",
                fix=f"start one and run `kolm parity`, or export --to {' or '.join(others)}",
            )
        )
    for program in fitting:
        if shutil.which(program.command):
            return program
    missing = " or ".join(program.command for program in fitting)
    raise LackingError(
        Problem(
            f"{missing} is not on PATH", where="--check", fix="install it, or leave --check out"
        )
    )
