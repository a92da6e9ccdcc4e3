"""Push and pull as two users, whose registries know nothing of each other."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from kolm_cli.bundle.build import Built
from kolm_cli.core.progress import Silent
from kolm_cli.registry.pull import Pulled
from kolm_cli.registry.transfer import Pushed, pull, push
from tests.bundle import factory
from tests.registry.fake_registry import FakeRegistry

QUIET = Silent()


def put(built: Built, fake: FakeRegistry, name: str = "x:v1") -> Pushed:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KOLM_HOME", str(built.path.parent / "pusher"))
        return push(str(built.path), f"oci://{fake.host}/{name}", QUIET)


def take(
    fake: FakeRegistry, out: Path, monkeypatch: pytest.MonkeyPatch, name: str = "x:v1"
) -> Pulled:
    """Pull as another user, whose registry is empty."""
    monkeypatch.setenv("KOLM_HOME", str(out.parent / f"home-{out.name}"))
    policy = factory.trusting()
    return pull(f"oci://{fake.host}/{name}", out, policy, QUIET, allow_untrusted=True)


def docker_config(**content: object) -> None:
    folder = Path(os.environ["DOCKER_CONFIG"])
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(content))


AUTH = base64.b64encode(b"ann:s3cret").decode()
