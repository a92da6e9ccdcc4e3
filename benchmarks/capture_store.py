"""A million pairs: how long what users do takes, and in how much memory.

    .venv/bin/python benchmarks/capture_store.py [--pairs 1000000] [--keep FOLDER]

Pairs go in through the store's own API, a tenth of them with two images. Each reading runs in
a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from kolm_cli.capture.pairs import NewPair
from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.pair import Pair
from kolm_cli.records.pictures import ImageFacts

IMAGES = 20_000
FACTS = ImageFacts("PNG", 4, 4, 1, 1)

CODE = """
import sys, time
from kolm_cli.capture.store import Store
begun = time.perf_counter()
with Store.open() as store:
    {}
print(f"{{time.perf_counter() - begun:.2f}}")
"""
READINGS = {
    "recognise unchanged inputs": "store.namespace_digest('bench')",
    "count": "store.count('bench')",
    "stream all (freeze)": "assert sum(1 for _ in store.pairs('bench')) > 0",
    "stream @eval": "assert sum(1 for _ in store.pairs('bench', split='eval')) > 0",
}
COMMANDS = {
    "kolm capture ls": ["ls"],
    "kolm capture ls bench -n 20": ["ls", "bench", "-n", "20"],
    "kolm capture ls bench --tag t7": ["ls", "bench", "--tag", "t7"],
    "kolm capture ls bench --model m3": ["ls", "bench", "--model", "m3", "-n", "1000"],
    "kolm capture ls bench --text": ["ls", "bench", "--text", "number 999999 "],
    "kolm capture ls bench --since": ["ls", "bench", "--since", "2026-01-01", "-n", "1000"],
    "kolm capture ls bench (all)": ["ls", "bench"],
    "kolm capture stats bench": ["stats", "bench"],
}


def pairs(count: int) -> object:
    """Pairs of the length that chart questions have."""
    data = []
    for number in range(IMAGES):
        buffer = io.BytesIO()
        colour = (number % 256, number // 256 % 256, number // 65536)
        Image.new("RGB", (4, 4), colour).save(buffer, "PNG")
        data.append((sha256_bytes(buffer.getvalue()), buffer.getvalue()))
    for number in range(count):
        shown = [data[number % IMAGES]]
        if number % 10 == 0:
            # Neighbours: groups of images that a split must keep together stay small.
            shown.append(data[(number % IMAGES) ^ 1])
        text = f"What is the value of the bar number {number} in this chart? " + "Look well. " * 8
        yield NewPair(
            Pair(
                Conversation.of(text, f"It is {number % 97}.", tuple(name for name, _ in shown)),
                model=f"m{number % 5}",
                tags=(f"t{number % 1000}",),
                captured=1_700_000_000_000 + number * 100_000,
            ),
            f"bench.jsonl:{number}",
            dict(shown),
            {name: FACTS for name, _ in shown},
        )


def run(arguments: list[str]) -> tuple[float, float, float]:
    """Seconds of wall clock and of CPU, and peak megabytes, of a process."""
    begun = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, arguments
    cpu = usage.ru_utime + usage.ru_stime
    return time.perf_counter() - begun, cpu, usage.ru_maxrss / 1024


def show(name: str, figures: tuple[float, float, float]) -> None:
    """One line. On a busy machine the CPU seconds are the ones to compare."""
    seconds, cpu, peak = figures
    print(f"{name:36} {seconds:8.2f} s {cpu:8.2f} s CPU {peak:7.0f} MB", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="use this KOLM_HOME, and keep it")
    options = parser.parse_args()
    home = options.keep or Path(tempfile.mkdtemp(prefix="kolm-bench-"))
    os.environ["KOLM_HOME"] = str(home)
    try:
        with Store.open() as store:
            if not store.namespaces():
                begun = time.perf_counter()
                for done, _ in enumerate(store.add_many("bench", pairs(options.pairs)), 1):  # type: ignore[arg-type]
                    if done % 100_000 == 0:
                        rate = done / (time.perf_counter() - begun)
                        print(f"{done} pairs, {rate:.0f}/s", file=sys.stderr)
                seconds = time.perf_counter() - begun
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                print(f"{'add':36} {seconds:8.1f} s {peak:7.0f} MB")
        print(f"database {(home / 'capture.db').stat().st_size / 1e6:.0f} MB")
        for name, code in READINGS.items():
            show(name, run([sys.executable, "-c", CODE.format(code)]))
        for name, arguments in COMMANDS.items():
            command = [sys.executable, "-m", "kolm_cli.cli.app", "capture", *arguments]
            show(name, run(command))
    finally:
        if not options.keep:
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
