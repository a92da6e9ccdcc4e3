"""`transformers serve` on a merged export, and `kolm serve` on bundles."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.helpers import ROOT, Bundle, checks, server

pytestmark = pytest.mark.servers

BASE = ROOT / "kolm_cli" / "demo" / "base"


def test_transformers_serve_answers_as_was_scored(demo: Bundle, tmp_path: Path) -> None:
    asked = ("--to", "merged", "--check", "--check-with", "transformers")
    programs = Path(sys.executable).parent
    done = demo.kolm("export", demo.path, tmp_path / "merged", *asked, path=programs)
    report = done["parity"]
    assert (report["agreement"], report["passed"]) == (1.0, True), report["differences"]
    assert report["server"]["name"] == "transformers serve"
    assert report["server"]["version"].startswith("5.")
    assert checks(report) == {"base": True, "picture": True, "template": True}


def test_kolm_serve_answers_as_each_of_its_bundles(
    demo: Bundle, small: Callable[..., Bundle], tmp_path: Path
) -> None:
    bundles = [demo, small("lora-1", projector="lora", seed=1)]
    command = (sys.executable, "-m", "kolm_cli.cli.app", "serve", *(b.path for b in bundles))
    with server((*command, "--allow-untrusted", "--base", BASE), tmp_path / "log") as url:
        for bundle in (*bundles, bundles[0]):
            report = bundle.parity(url, bundle.path.stem)
            assert report["agreement"] == 1.0
            assert report["server"]["name"] == "kolm serve"
        base = demo.parity(url, "base", code=3)
    assert checks(base)["base"] is False
