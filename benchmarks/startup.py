"""How long quick commands take, against starting Python with nothing to do, in one run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

KOLM = [sys.executable, "-m", "kolm_cli.cli.app"]
RUNS = 9


def median_seconds(command: list[str], environment: dict[str, str]) -> float:
    """The median wall time of a few runs."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, env=environment, capture_output=True, check=False)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    """Print a line a command."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "KOLM_HOME": home}
        bare = median_seconds([sys.executable, "-c", "pass"], environment)
        sys.stdout.write(f"{'python -c pass':24} {bare:.3f} s\n")
        for arguments in (["--help"], ["families"], ["capture", "ls"], ["verify", "none.kolm"]):
            took = median_seconds([*KOLM, *arguments], environment)
            sys.stdout.write(f"kolm {' '.join(arguments):19} {took:.3f} s ({took / bare:.1f} x)\n")


if __name__ == "__main__":
    main()
