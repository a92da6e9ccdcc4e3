"""Work in processes of its own, on one registry."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from kolm_cli.core.progress import Silent
from kolm_cli.registry.names import ContentId, Tag
from kolm_cli.registry.pull import pull
from kolm_cli.registry.store import Registry
from tests.bundle import factory

QUIET = Silent()
NOBODY = factory.trusting()


def fork(work: Callable[[], None]) -> int:
    """Run `work` in a process of its own; returns its id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fetch(registry: Registry, reference: Tag | ContentId, folder: Path) -> bytes:
    out = folder / "fetched.kolm"
    pull(registry, reference, out, NOBODY, QUIET, allow_untrusted=True)
    return out.read_bytes()
