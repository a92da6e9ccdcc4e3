"""vLLM on the CPU: what it serves of an adapter, and what nobody would have noticed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.docs.pages import PAGES, blocks
from tests.servers.helpers import ROOT, SMALL, VLLM, Bundle, checks, server

pytestmark = pytest.mark.servers

BASE = ROOT / "kolm_cli" / "demo" / "base"
FP32 = ("--dtype", "float32", *SMALL)
LORA = ("--enable-lora", "--max-lora-rank", "16")


def test_an_adapter_without_its_projector_is_caught(demo: Bundle, tmp_path: Path) -> None:
    """`peft` alone, on the base: vLLM takes it without a word."""
    folder = demo.export("peft", tmp_path / "peft")
    served = ("vllm", "serve", BASE, *FP32, *LORA, "--lora-modules", f"half={folder}")
    with server(served, tmp_path / "log") as url:
        report = demo.parity(url, "half", "--export", folder, code=3)
        base = demo.parity(url, str(BASE), code=3)
    assert report["agreement"] < 0.95
    assert report["server"]["accuracy"] < report["bundle"]["accuracy"] - 0.05
    # It is no base, and is asked as it should be: only the answers tell.
    assert checks(report) == {"base": True, "picture": True, "template": True}
    assert checks(base) == {"base": False, "picture": True, "template": True}
    assert base["server"]["accuracy"] < 0.5


def test_vllm_and_merged_exports_are_what_was_scored(demo: Bundle, tmp_path: Path) -> None:
    for to in ("vllm", "merged"):
        asked = ("--to", to, "--check", "--check-with", "vllm")
        done = demo.kolm("export", demo.path, tmp_path / to, *asked, path=VLLM)
        report = done["parity"]
        assert (report["agreement"], report["passed"]) == (1.0, True), report["differences"]
        assert report["bundle"]["accuracy"] == report["server"]["accuracy"]
        assert report["server"]["name"] == "vLLM"
        assert checks(report) == {"base": True, "picture": True, "template": True}
        assert report["export"] == {"to": to, "sha256": done["digest"]}


def test_adapters_are_swapped_in_while_it_runs_and_answer_each_as_its_own(
    small: Callable[..., Bundle], tmp_path: Path
) -> None:
    """Their projectors are LoRA too, so that one base serves both."""
    one, two = (small(f"lora-{seed}", projector="lora", seed=seed) for seed in (1, 2))
    served = ("vllm", "serve", BASE, *FP32, *LORA, "--enable-tower-connector-lora")
    with server(served, tmp_path / "log") as url:
        for bundle in (one, two, one):
            swap(bundle, url, tmp_path)
            assert (tmp_path / "live").read_text().strip() == bundle.cid
        # Both are there, and one's answers are not the other's.
        for bundle, other in ((one, two), (two, one)):
            report = bundle.parity(url, bundle.cid)
            assert report["agreement"] == 1.0
            assert checks(report) == {"base": True, "picture": True, "template": True}
            assert bundle.parity(url, other.cid, code=3)["agreement"] < 1.0
        gone = httpx.post(f"{url}/v1/unload_lora_adapter", json={"lora_name": two.cid})
        assert gone.is_success
        assert one.parity(url, one.cid)["agreement"] == 1.0
        lost = two.kolm("parity", two.path, "--server", url, "--model", two.cid, code=2)
        assert "there is no model" in lost["error"]["problems"][0]["what"]


def swap(bundle: Bundle, url: str, folder: Path) -> None:
    """The script of docs/how-to/serve-with-vllm.md, as a promotion calls it."""
    page = next(page for page in PAGES if page.name == "serve-with-vllm.md")
    script = next(b.text for b in blocks(page) if b.text.startswith("#!/bin/sh"))
    assert "http://127.0.0.1:8000" in script
    done = subprocess.run(
        ["sh", "-c", script.replace("http://127.0.0.1:8000", url)],
        env={
            **os.environ,
            **{"KOLM_HOME": str(bundle.home), "KOLM_LOOP_CID": bundle.cid},
            **{"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            "PYTHONPATH": str(ROOT),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
