"""Push and pull of a large bundle, as ratios to `sha256sum` of the same file.

.venv/bin/python benchmarks/registry_store.py [--megabytes 100]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.bundle import factory

KOLM = [sys.executable, "-m", "kolm_cli.cli.app"]


def run(arguments: list[str]) -> tuple[float, float]:
    """Seconds and peak megabytes of a process."""
    begun = time.perf_counter()
    null = subprocess.DEVNULL
    process = subprocess.Popen(arguments, stdout=null, stderr=null)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, arguments
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kolm-bench-") as name:
        folder = Path(name)
        os.environ["KOLM_HOME"] = str(folder / "home")
        # Vocabularies may be large, and need no tensors that fit modules.json.
        files = factory.make_files()
        for number in range(max(1, options.megabytes // 50)):
            blob = folder / f"{number}.txt"
            blob.write_bytes(os.urandom(50_000_000))
            files[f"processor/part{number}.txt"] = blob
        bundle = factory.make_bundle(folder / "a.kolm", files=files).path
        run(["sha256sum", str(bundle)])  # into the page cache
        unit, _ = run(["sha256sum", str(bundle)])
        start, _ = run([*KOLM, "ls"])
        print(f"{bundle.stat().st_size / 1e6:.0f} MB, sha256sum {unit:.2f} s, start {start:.2f} s")
        pulling = [*KOLM, "pull", "x:1", "--out", str(folder / "b.kolm"), "--allow-untrusted"]
        for title, command in (
            ("push", [*KOLM, "push", str(bundle), "x:1"]),
            ("push again", [*KOLM, "push", str(bundle), "x:1"]),
            ("pull", pulling),
            ("registry check", [*KOLM, "registry", "check"]),
        ):
            seconds, peak = run(command)
            ratio = (seconds - start) / unit
            print(f"{title:16} {seconds:6.2f} s  {ratio:5.1f} x sha256sum  {peak:5.0f} MB")
        assert (folder / "b.kolm").read_bytes() == bundle.read_bytes()


if __name__ == "__main__":
    main()
