"""`kolm export --check`: start a server on what was exported, and ask it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from kolm_cli.core.home import private_folder
from kolm_cli.core.progress import Progress
from kolm_cli.export.manifest import read_manifest
from kolm_cli.parity.client import Identity
from kolm_cli.parity.measure import Asking, measure
from kolm_cli.parity.programs import Exported, Program, version_of
from kolm_cli.parity.report import ParityReport
from kolm_cli.parity.start import free_port, running
from kolm_cli.pipeline.bundle_use import Demands, unpacked


def check_export(
    bundle: Path,
    folder: Path,
    program: Program,
    *,
    base: Path | None = None,
    rows: int | None = None,
    demands: Demands | None = None,
    progress: Progress,
) -> ParityReport:
    """Start a server on an export, and compare its answers with the bundle's.

    Args:
        bundle: the bundle file.
        folder: the export of it.
        program: the server.
        base: where a local base is, when this machine did not compile the bundle.
        rows: how many rows are asked; all when None.
        demands: what the bundle must be; trusted by the user's own trust file when None.
        progress: told of the stages.

    Raises:
        LackingError: the server does not start.
    """
    with unpacked(bundle, demands or Demands(), progress) as files:
        room = int(files.spec["train"]["max_seq_length"]) + int(
            files.spec["evaluate"]["max_new_tokens"]
        )
    export = Exported(folder.absolute(), read_manifest(folder), room)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="kolm-", dir=private_folder("tmp")) as place:
        log = Path(place) / "server.log"
        with running(program.name, program.arguments(export, port), port, log, progress) as url:
            named = Identity(program.name, version_of(program))
            asking = Asking(url, model=program.model(export), rows=rows, named=named)
            return measure(
                bundle, asking, export=folder, base=base, demands=demands, progress=progress
            )
