"""Bundles to report on: one of strangers' words, and what is known of the compiled one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kolm_cli.bundle.signing import keys
from kolm_cli.core import canonical_json
from tests.bundle import factory
from tests.support.jobs import Job

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'$\\frac{1}{2}$ &amp; {{ 7*7 }}"


def evil_bundle(path: Path) -> keys.Signer:
    """A bundle whose every word that a stranger may choose tries to be markup."""
    files = factory.make_files()
    names: dict[str, str] = {}
    for name in ("eval/pack.jsonl", "eval/predictions.jsonl", "eval/base_predictions.jsonl"):
        data = files[name]
        assert isinstance(data, bytes)
        rows: list[dict[str, Any]] = [json.loads(line) for line in data.splitlines()]
        for row in rows:
            row["id"] = names.setdefault(row["id"], f"{EVIL}{len(names)}")
            if row.get("prediction") in ("?", "no idea"):
                row["prediction"] += f"{EVIL}\x1b[31m\x9b"
            if "answers" in row:
                row["answers"].append(f"{EVIL}\u202e")
        files[name] = b"".join(canonical_json.dumps(row) + b"\n" for row in rows)
    signer = keys.generate()
    factory.make_bundle(path, signer, files=files)
    return signer


def curves(job: Job, cid: str) -> None:
    """Curves as a longer training leaves them."""
    made = json.loads((job.home / "made" / f"{cid}.json").read_text())
    lines = [
        {
            "step": step,
            "loss": 3 / step,
            "grad_norm": 1.5,
            "rates": {"language": 1e-3 / step, "projector": 2e-5},
            "tokens_per_second": 900.0 + step,
            "waited_seconds": 0.01,
            "seconds": 0.1,
        }
        for step in range(1, 41)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (job.home / "runs" / made["training"] / "curves.jsonl").write_text(text)
