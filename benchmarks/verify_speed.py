"""How fast `kolm verify` reads a 100 MB bundle, beside `sha256sum` and its own start.

Prints ratios, which other machines can compare: (verify - start-up) / sha256sum is to stay
below 1.3. Start-up is a verify of a small bundle. Medians of several runs in turns.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.bundle import factory

RUNS = 7
MEBIBYTES = 100


def seconds(*command: str) -> float:
    """How long a command takes."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measure in turns, print medians."""
    kolm = str(Path(sys.executable).with_name("kolm"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = factory.make_bundle(folder / "small.kolm").path
        files = factory.big_files(folder, MEBIBYTES)
        large = factory.make_bundle(folder / "large.kolm", files=files).path
        taken: dict[str, list[float]] = {"start": [], "verify": [], "sum": []}
        for _ in range(RUNS):
            taken["start"].append(seconds(kolm, "verify", str(small), "--allow-untrusted"))
            taken["verify"].append(seconds(kolm, "verify", str(large), "--allow-untrusted"))
            taken["sum"].append(seconds("sha256sum", str(large)))
    start, verify, sum_ = (median(taken[key]) for key in ("start", "verify", "sum"))
    print(f"start-up             {start:.3f} s")
    print(f"verify {MEBIBYTES} MiB       {verify:.3f} s")
    print(f"sha256sum {MEBIBYTES} MiB    {sum_:.3f} s")
    print(f"(verify - start) / sha256sum  {(verify - start) / sum_:.2f}  (at most 1.3)")


if __name__ == "__main__":
    main()
