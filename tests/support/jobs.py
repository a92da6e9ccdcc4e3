"""Small jobs for tests that run the real command."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from tests.support import command
from tests.support.command import KOLM, Done


@dataclass
class Job:
    """A folder with data, a spec and a `$KOLM_HOME` of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def spec(self) -> Path:
        return self.folder / "spec.yaml"

    def env(self, **more: str) -> dict[str, str]:
        return {**os.environ, **self._own(**more)}

    def kolm(self, *arguments: str | Path, **more: str) -> Done:
        """Run a command in the job's folder, within the process of the test."""
        return command.kolm(*arguments, cwd=self.folder, **self._own(**more))

    def kolm_process(self, *arguments: str | Path, timeout: float = 300, **more: str) -> Done:
        """Run a command in the job's folder, in a process of its own."""
        own = self._own(**more)
        return command.kolm_process(*arguments, cwd=self.folder, timeout=timeout, **own)

    def _own(self, **more: str) -> dict[str, str]:
        return {"KOLM_HOME": str(self.home), **self.environment, **more}

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start the real command, to be interrupted."""
        return subprocess.Popen(
            [*KOLM, *map(str, arguments)],
            cwd=self.folder,
            env=self.env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def write_spec(self, **sections: dict[str, Any]) -> Path:
        """A small spec; sections given replace or extend the defaults."""
        content: dict[str, Any] = {
            "kolm": 1,
            "name": "tiny",
            "base": {"model": "base"},
            "data": {"train": "train.jsonl", "eval": "eval.jsonl"},
            "train": {
                "bf16": False,
                "per_device_train_batch_size": 4,
                "gradient_accumulation_steps": 1,
                "num_train_epochs": 2,
                "learning_rate": 1e-3,
                "save_steps": 100,
            },
            "launch": {"device": "cpu", "threads": 1},
            "evaluate": {"metric": "exact_match", "max_new_tokens": 4, "usd_per_hour": 1.0},
        }
        for name, value in sections.items():
            if isinstance(value, dict):
                content[name] = {**content.get(name, {}), **value}
            else:
                content[name] = value
        # JSON is YAML.
        self.spec.write_text(json.dumps(content, indent=1))
        return self.spec


def write_rows(path: Path, count: int, *, first: int = 0) -> Path:
    """Coloured squares and a question about each, as a JSONL file beside its images."""
    images = path.parent / "images"
    images.mkdir(exist_ok=True)
    lines = []
    for i in range(first, first + count):
        name = f"images/{i}.png"
        colour = (i * 7 % 256, i * 13 % 256, i * 29 % 256)
        Image.new("RGB", (56, 28 + 28 * (i % 2)), colour).save(path.parent / name)
        answer = ["red", "green", "blue"][i % 3]
        lines.append(json.dumps({"image": name, "prompt": f"hue {i % 5}?", "response": answer}))
    path.write_text("\n".join(lines) + "\n")
    return path


@dataclass
class Compiled:
    """A job that was compiled once."""

    job: Job
    report: dict[str, Any]

    @property
    def bundle(self) -> Path:
        return Path(self.report["bundle"])
