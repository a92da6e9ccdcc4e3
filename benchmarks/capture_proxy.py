"""What the proxy adds to a call, beside mitmproxy: 20 calls a second, an upstream of 100 ms.

    .venv/bin/python benchmarks/capture_proxy.py [--rounds 6] [--mitmdump PATH]

mitmproxy pins old versions of what kolm needs, so it lives in an environment of its own:
`python3 -m venv /tmp/mitm && /tmp/mitm/bin/pip install mitmproxy`. Both proxies record: kolm
into its store, mitmdump into a flow file. The three ways are measured in turn, in short
blocks, so that what else the machine does falls on all of them alike.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
RATE = 20.0
DELAY = 0.1


def body(number: int) -> dict[str, object]:
    """A call with one image of about 60 kB, another one each time."""
    from io import BytesIO

    from PIL import Image

    noise = random.Random(number).randbytes(140 * 140 * 3)  # noqa: S311
    stream = BytesIO()
    Image.frombytes("RGB", (140, 140), noise).save(stream, "PNG")
    uri = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    parts = [
        {"type": "text", "text": f"question {number}"},
        {"type": "image_url", "image_url": {"url": uri}},
    ]
    return {"model": "m", "messages": [{"role": "user", "content": parts}]}


async def block(url: str, bodies: list[bytes]) -> list[float]:
    """Milliseconds of each call; a call starts every 1/RATE seconds whatever the others do."""
    headers = {"content-type": "application/json"}
    async with httpx.AsyncClient(timeout=30) as client:
        await client.post(f"{url}/v1/chat/completions", content=bodies[0], headers=headers)

        async def one(data: bytes) -> float:
            begun = time.perf_counter()
            answer = await client.post(f"{url}/v1/chat/completions", content=data, headers=headers)
            assert answer.status_code == 200
            return (time.perf_counter() - begun) * 1000

        tasks = []
        begun = time.perf_counter()
        for number, data in enumerate(bodies):
            await asyncio.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
            tasks.append(asyncio.create_task(one(data)))
        return list(await asyncio.gather(*tasks))


def wait_for(port: int) -> None:
    """Until something listens on the port."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"nothing listens on {port}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--calls", type=int, default=60, help="calls in a block")
    parser.add_argument("--mitmdump", default=shutil.which("mitmdump") or "/tmp/mitm/bin/mitmdump")  # noqa: S108
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="kolm-bench-"))
    running: list[subprocess.Popen[str]] = []
    try:
        upstream = subprocess.Popen(
            [sys.executable, ROOT / "tests/capture/proxy/upstream.py", str(DELAY)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        running.append(upstream)
        assert upstream.stdout is not None
        ways = {"direct": f"http://127.0.0.1:{int(upstream.stdout.readline())}"}
        kolm = subprocess.Popen(
            [sys.executable, "-m", "kolm_cli.cli.app", "capture", "proxy", "--to", "bench",
             "--upstream", ways["direct"], "--port", "0"],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "KOLM_HOME": str(work / "home")},
        )  # fmt: skip
        running.append(kolm)
        assert kolm.stdout is not None
        ways["kolm"] = json.loads(kolm.stdout.readline())["url"]
        if Path(options.mitmdump).is_file():
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            running.append(
                subprocess.Popen(
                    [
                        options.mitmdump,
                        "-q",
                        "--mode",
                        f"reverse:{ways['direct']}",
                        "--listen-host",
                        "127.0.0.1",
                        "--listen-port",
                        str(port),
                        "--set",
                        f"confdir={work}",
                        "-w",
                        str(work / "flows"),
                    ],
                    text=True,
                )
            )
            wait_for(port)
            ways["mitmproxy"] = f"http://127.0.0.1:{port}"
        bodies = [json.dumps(body(i)).encode() for i in range(options.calls)]
        print(f"{len(bodies[0]) // 1000} kB a call, {RATE:g} calls/s, upstream {DELAY * 1000:g} ms")
        times: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(options.rounds):
            for way, url in ways.items():
                times[way] += asyncio.run(block(url, bodies))
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr)
        base = statistics.median(times["direct"])
        print(f"{'':10} {'median':>8} {'p95':>8} {'adds (median)':>14}   calls")
        for way, found in times.items():
            middle, high = statistics.median(found), statistics.quantiles(found, n=20)[18]
            print(f"{way:10} {middle:8.2f} {high:8.2f} {middle - base:11.2f} ms   {len(found)}")
    finally:
        for process in running:
            process.terminate()
            process.wait()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
