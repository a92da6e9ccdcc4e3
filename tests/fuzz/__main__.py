"""`python -m tests.fuzz --seconds 600 [TARGET...]`: search for inputs that break a parser.

What is found is kept in the corpus, a folder outside the repository, and tried first the next time.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import logging
import os
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.fuzz.catalog import TARGETS
from tests.fuzz.target import Target

# Of a processor, for one input; and for the whole process, beyond what it has at the start.
MOST_SECONDS = 5.0
MOST_MIB = 1024
ROUND = 300


def corpus() -> Path:
    """`$KOLM_FUZZ_CORPUS`, or a folder of the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("KOLM_FUZZ_CORPUS") or cache / "kolm-fuzz")


def feed(target: Target, data: bytes) -> None:
    """Give one input to a target.

    Raises:
        AssertionError: it took too long.
    """
    began = time.process_time()
    with contextlib.suppress(*target.raises):
        target.feed(data)
    took = time.process_time() - began
    assert took < MOST_SECONDS, f"{took:.1f} seconds of a processor for {len(data)} bytes"


def fuzz(target: Target, seconds: float, folder: Path) -> tuple[int, str]:
    """How many inputs were tried, and what was found; empty when nothing was."""
    samples, count = target.samples(), 0
    database = DirectoryBasedExampleDatabase(folder / "examples")
    until = time.monotonic() + seconds
    began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    number = time.time_ns()
    for known in sorted((folder / "found").glob("*")):
        feed(target, known.read_bytes())
    while time.monotonic() < until:
        number += 1

        @seed(number)
        @settings(
            max_examples=ROUND,
            database=database,
            deadline=None,
            phases=(Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(target.inputs(samples))
        def attempt(data: bytes) -> None:
            nonlocal count, last
            count += 1
            last = data
            feed(target, data)

        last = b""
        try:
            attempt()
        except Exception:
            (folder / "found").mkdir(parents=True, exist_ok=True)
            path = folder / "found" / hashlib.sha256(last).hexdigest()[:16]
            path.write_bytes(last)
            return count, f"{path}\n{traceback.format_exc(limit=-6)}"
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began) >> 10
        if grown > MOST_MIB:
            return count, f"the process grew by {grown} MiB"
    return count, ""


def main() -> int:
    """Run the targets that are named, or all; 1 when something was found."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    arguments = parser.parse_args()
    known = {target.name: target for target in TARGETS}
    unknown = [name for name in arguments.targets if name not in known]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(known)}")
    code = 0
    for name in arguments.targets or known:
        count, found = fuzz(known[name], arguments.seconds, corpus() / name)
        print(f"{name:<22} {count:>8} inputs  {found or 'nothing found'}", flush=True)
        code = 1 if found else code
    return code


if __name__ == "__main__":
    # Pillow's, about nearly every damaged TIFF; what they are about is no finding.
    warnings.simplefilter("ignore")
    logging.disable()
    sys.exit(main())
