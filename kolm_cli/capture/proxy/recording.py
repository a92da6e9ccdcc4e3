"""The serving side of recording: calls go to the spool on a thread, a child stores them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kolm_cli.capture.proxy.spool import Call, Spool, new_spool

# What may wait in memory for a slow disk.
MAX_WAITING = 256 * 1024 * 1024
# Recording pauses below this much free space, so that the machine stays usable.
MIN_FREE = 16 * 1024 * 1024


class Recording:
    """Takes calls, and never delays or fails one.

    Attributes:
        lost: calls that could not be written to the spool.
        trouble: why recording is stopped; empty when it is not.
        stored: the child's last report.
    """

    def __init__(self, home: Path, hosts: tuple[str, ...], min_free: int = MIN_FREE) -> None:
        self._home = home
        self._hosts = hosts
        self._min_free = min_free
        self.folder = new_spool(home)
        self._spool = Spool(self.folder)
        # One thread, so that entries are whole and in order.
        self._thread = ThreadPoolExecutor(1, "spool")
        self._waiting = 0
        self._child: asyncio.subprocess.Process | None = None
        self._listener: asyncio.Task[None] | None = None
        self._ending = False
        self.lost = 0
        self.restarts = 0
        self._spool_trouble = ""
        self._child_trouble = ""
        self.stored: dict[str, Any] = {}

    @property
    def trouble(self) -> str:
        """Why calls are not being recorded just now."""
        return self._spool_trouble or self._child_trouble or str(self.stored.get("trouble") or "")

    def take(self, call: Call) -> None:
        """Have a call written; returns at once."""
        size = len(call.request) + len(call.response)
        if self._waiting + size > MAX_WAITING:
            self.lost += 1
            self._spool_trouble = "the disk is too slow for the calls"
            return
        self._waiting += size
        try:
            self._thread.submit(self._write, call, size)
        except RuntimeError:  # A second signal ended the draining.
            self.lost += 1

    def _write(self, call: Call, size: int) -> None:
        try:
            if shutil.disk_usage(self.folder).free < self._min_free:
                raise OSError("the disk is full")
            self._spool.append(call)
            self._spool_trouble = ""
        except OSError as error:
            self.lost += 1
            self._spool_trouble = f"cannot record: {error.strerror or error}"
        finally:
            self._waiting -= size

    async def start(self) -> None:
        """Start the process that stores, and keep it running."""
        await self._start_child()
        self._listener = asyncio.create_task(self._listen())

    async def _start_child(self) -> None:
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "kolm_cli.capture.proxy.recorder",
            str(self._home),
            str(self.folder),
            *self._hosts,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A report with many long reasons is one line.
            limit=16 * 1024 * 1024,
            # Its errors name files and digests, never what a call held.
            stderr=None,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    async def _listen(self) -> None:
        while True:
            child = self._child
            assert child is not None  # noqa: S101 - for the type checker
            assert child.stdout is not None  # noqa: S101
            before = self._totals()
            while line := await child.stdout.readline():
                with contextlib.suppress(ValueError):
                    self._merge(json.loads(line), before)
                    self._child_trouble = ""
            await child.wait()
            if self._ending:
                return
            # It died; the spool holds what it had not stored.
            self.restarts += 1
            self._child_trouble = "has stopped, and is started again"
            await asyncio.sleep(min(30, 2**self.restarts / 4))
            await self._start_child()

    def _totals(self) -> dict[str, Any]:
        return {k: v for k, v in self.stored.items() if isinstance(v, int) or k == "reasons"}

    def _merge(self, report: dict[str, Any], before: dict[str, Any]) -> None:
        """A child that was started anew counts from zero."""
        self.stored = {
            key: value + before.get(key, 0) if isinstance(value, int) else value
            for key, value in report.items()
        }
        reasons = Counter(before.get("reasons", {}))
        reasons.update(report.get("reasons", {}))
        self.stored["reasons"] = dict(reasons.most_common())

    async def close(self) -> None:
        """Write what waits, and let the child store everything before it ends."""
        self._ending = True
        await asyncio.get_running_loop().run_in_executor(self._thread, lambda: None)
        self._thread.shutdown()
        self._spool.close()
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()
        if self._listener is not None:
            await self._listener
