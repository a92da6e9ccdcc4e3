"""What training loses beside other load, with threads that spin while they wait and without.

.venv/bin/python benchmarks/wait_policy.py

A small model's steps, on two threads, alone and beside a second process of the same kind. Both
settings are measured in one run; the figures are steps a second, and their ratio is what counts.
"""

from __future__ import annotations

import os
import subprocess
import sys

STEPS = """
import time, torch
torch.set_num_threads(2)
model = torch.nn.Sequential(*[torch.nn.Linear(256, 256) for _ in range(24)])
rows = torch.randn(64, 256)
def step():
    model(rows).square().mean().backward()
for _ in range(20):
    step()
began, steps = time.perf_counter(), 0
while time.perf_counter() - began < 8:
    step()
    steps += 1
print(steps / (time.perf_counter() - began))
"""


def run(policy: str, processes: int) -> float:
    """Steps a second of the first of so many processes."""
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": policy}
    command = [sys.executable, "-c", STEPS]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    outputs = [process.communicate()[0] for process in running]
    return float(outputs[0])


def main() -> None:
    """Measure, and print a line a setting."""
    print(f"{'OMP_WAIT_POLICY':<16} {'alone':>8} {'beside another':>15} {'kept':>6}")
    for policy in ("ACTIVE", "PASSIVE"):
        alone, beside = run(policy, 1), run(policy, 2)
        print(f"{policy:<16} {alone:8.1f} {beside:15.1f} {beside / alone:6.2f}")


if __name__ == "__main__":
    main()
