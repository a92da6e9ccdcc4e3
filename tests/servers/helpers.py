"""Real servers, started on exports of real bundles, and asked by `kolm parity`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.core.progress import Silent
from kolm_cli.parity.start import free_port, running

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "build" / "servers"
VLLM = PLACE / "vllm" / "bin"
LLAMA = PLACE / "llamacpp" / "bin" / "python"
# What vLLM needs on a CPU, and what keeps it from asking anybody anything.
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
}
# For a quick look; all rows unless told.
ROWS = os.environ.get("KOLM_SERVERS_ROWS", "")
SMALL = ("--host", "127.0.0.1", "--enforce-eager", "--max-model-len", "512")


@dataclass
class Bundle:
    """A compiled bundle and the home that knows its base and its pack."""

    path: Path
    home: Path

    def kolm(self, *arguments: object, code: int = 0, path: Path | None = None) -> Any:
        """Run a command with `--json`; its document."""
        environment = {**os.environ, **ENVIRONMENT, "KOLM_HOME": str(self.home)}
        if path is not None:
            environment["PATH"] = f"{path}:{environment['PATH']}"
        done = subprocess.run(
            [sys.executable, "-m", "kolm_cli.cli.app", *map(str, arguments), "--json"],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr[-4000:] + done.stdout[-4000:]
        return json.loads(done.stdout)

    @property
    def cid(self) -> str:
        cid: str = self.kolm("verify", self.path)["cid"]
        return cid

    def export(self, to: str, out: Path, *more: object) -> Path:
        self.kolm("export", self.path, out, "--to", to, *more)
        return out

    def parity(self, url: str, model: str, *more: object, code: int = 0) -> Any:
        """What `kolm parity` says of a server."""
        few = ("--rows", ROWS) if ROWS else ()
        asked = ("parity", self.path, "--server", url, "--model", model, "--timeout", 600)
        return self.kolm(*asked, *few, *more, code=code)


@contextmanager
def server(command: Sequence[object], log: Path) -> Iterator[str]:
    """A server, told its port at the end of its command line; gives its address."""
    port = free_port()
    before = dict(os.environ)
    os.environ.update(ENVIRONMENT)
    os.environ["PATH"] = f"{VLLM}:{before['PATH']}"
    try:
        told = [*map(str, command), "--port", str(port)]
        with running(str(command[0]), told, port, log, Silent()) as url:
            yield url
    finally:
        os.environ.clear()
        os.environ.update(before)


def checks(report: Any) -> dict[str, bool | None]:
    return {check["name"]: check["ok"] for check in report["checks"]}
