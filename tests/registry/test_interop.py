"""Debian's docker-registry and skopeo: programs that are not ours. `setup.sh` installs them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kolm_cli.core.digests import digest_from_cid
from kolm_cli.core.progress import Silent
from kolm_cli.registry.check import check
from kolm_cli.registry.remote import patience, send
from kolm_cli.registry.store import Registry
from kolm_cli.registry.transfer import pull, push
from tests.bundle import factory
from tests.registry.helpers import assert_oci_layout, bundle
from tests.support.command import kolm

pytestmark = pytest.mark.interop
QUIET = Silent()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def docker_registry(folder: Path, *, htpasswd: Path | None = None) -> Iterator[str]:
    """The real registry; yields its host."""
    host = f"127.0.0.1:{free_port()}"
    config = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host},
    }
    if htpasswd is not None:
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(htpasswd)}}
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log
        )
    try:
        for _ in range(200):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://{host}/v2/", trust_env=False)
                break
            time.sleep(0.05)
        yield host
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "registry"
    folder.mkdir()
    with docker_registry(folder) as running:
        yield running


def skopeo(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["skopeo", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_push_and_pull_by_tag_cid_and_digest(tmp_path: Path, host: str) -> None:
    built = bundle(tmp_path / "a.kolm", padding=300_000)
    pushed = kolm("push", built.path, f"oci://{host}/team/chart:v1", "--json")
    assert pushed.code == 0, pushed.err
    tags = httpx.get(f"http://{host}/v2/team/chart/tags/list", trust_env=False).json()["tags"]
    assert sorted(tags) == sorted(["v1", built.cid])
    digest = pushed.json["digest"]
    for number, name in enumerate((":v1", f":{built.cid}", f"@{digest}")):
        out = tmp_path / f"{number}.kolm"
        env = {"KOLM_HOME": str(tmp_path / f"home{number}")}
        done = kolm(
            "pull", f"oci://{host}/team/chart{name}", "--out", out, "--json",
            "--allow-untrusted", **env,
        )  # fmt: skip
        assert done.code == 0, done.err
        assert (done.json["cid"], done.json["digest"]) == (built.cid, digest)
        assert out.read_bytes() == built.path.read_bytes()
        assert kolm("registry", "check", **env).code == 0
    refused = kolm("pull", f"oci://{host}/team/chart:v1", "--out", tmp_path / "no.kolm")
    assert refused.code == 4
    assert not (tmp_path / "no.kolm").exists()


def test_skopeo_sees_and_copies_the_same_bytes(tmp_path: Path, host: str, home: Path) -> None:
    built = bundle(tmp_path / "a.kolm")
    pushed = push(str(built.path), f"oci://{host}/chart:v1", QUIET)
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{host}/chart:v1")
    assert f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}" == pushed.digest
    config = json.loads(raw)["config"]["digest"]
    assert config == f"sha256:{digest_from_cid(built.cid)}"
    copy = tmp_path / "copy"
    skopeo("copy", "--src-tls-verify=false", f"docker://{host}/chart:v1", f"oci:{copy}:chart:v1")
    assert_oci_layout(copy)
    ours = home / "registry" / "blobs" / "sha256"
    for path in (copy / "blobs" / "sha256").iterdir():
        assert path.read_bytes() == (ours / path.name).read_bytes()
    # The other way: skopeo sends what stands in kolm's layout, by tag and by CID, kolm pulls it.
    Registry().push(built.path, None, QUIET)
    kolm("tag", built.cid, "chart:v2")
    for number, ref in enumerate(("chart:v2", built.cid)):
        place = f"{host}/from-skopeo:{number}"
        skopeo(
            "copy", "--dest-tls-verify=false", f"oci:{home / 'registry'}:{ref}", f"docker://{place}"
        )
        out = tmp_path / f"{number}.kolm"
        policy = factory.trusting()
        pulled = pull(f"oci://{place}", out, policy, QUIET, allow_untrusted=True)
        assert pulled.cid == built.cid
        assert out.read_bytes() == built.path.read_bytes()


def test_htpasswd(tmp_path: Path) -> None:
    built = bundle(tmp_path / "a.kolm")
    passwords = tmp_path / "htpasswd"
    subprocess.run(
        ["htpasswd", "-Bbc", passwords, "ann", "s3cret"], check=True, capture_output=True
    )
    folder = tmp_path / "registry"
    folder.mkdir()
    config = Path(os.environ["DOCKER_CONFIG"]) / "config.json"
    config.parent.mkdir()
    with docker_registry(folder, htpasswd=passwords) as host:
        place = f"oci://{host}/x:v1"
        assert kolm("push", built.path, place).code == 5
        for password, code in (("wrong", 5), ("s3cret", 0)):
            auth = base64.b64encode(f"ann:{password}".encode()).decode()
            config.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
            done = kolm("push", built.path, place)
            assert done.code == code, done.err
            assert password not in done.out + done.err
        out = tmp_path / "b.kolm"
        done = kolm("pull", place, "--out", out, "--allow-untrusted")
        assert done.code == 0, done.err
        assert out.read_bytes() == built.path.read_bytes()
        config.unlink()
        assert kolm("pull", place, "--out", out, "--allow-untrusted").code == 5


def test_a_blob_corrupted_on_the_registrys_disk(tmp_path: Path, host: str) -> None:
    built = bundle(tmp_path / "a.kolm", padding=200_000)
    push(str(built.path), f"oci://{host}/x:v1", QUIET)
    data = tmp_path / "registry" / "data"
    (large,) = [p for p in data.glob("**/data") if p.stat().st_size > 200_000]
    content = bytearray(large.read_bytes())
    content[1000] ^= 1
    large.write_bytes(content)
    out = tmp_path / "b.kolm"
    env = {"KOLM_HOME": str(tmp_path / "other")}
    done = kolm("pull", f"oci://{host}/x:v1", "--out", out, "--allow-untrusted", **env)
    assert done.code == 4
    assert large.parent.name in done.err
    assert not out.exists()
    assert kolm("registry", "check", **env).code == 0
    assert kolm("ls", "--json", **env).json == []


class CuttingProxy:
    """Passes TCP on, and cuts connections after so many bytes in one direction.

    Attributes:
        cuts: the number of bytes after which to cut, one entry a connection that carried them.
    """

    def __init__(self, target: str, direction: str, cuts: list[int]) -> None:
        self._target = target
        self._direction = direction
        self.cuts = cuts
        self._server = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                name, _, port = self._target.partition(":")
                far = socket.create_connection((name, int(port)))
                for source, sink, direction in ((near, far, "up"), (far, near, "down")):
                    threading.Thread(
                        target=self._pass, args=(source, sink, direction), daemon=True
                    ).start()

    def _pass(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        count = 0
        with contextlib.suppress(OSError):
            while data := source.recv(8192):
                count += len(data)
                sink.sendall(data)
                if direction == self._direction and self.cuts and count > self.cuts[0]:
                    self.cuts.pop(0)
                    break
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.close()


@pytest.mark.parametrize("direction", ["up", "down"])
def test_connections_cut_in_the_middle(
    direction: str, tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PAUSE", 0.01)
    monkeypatch.setattr(send, "PIECE", 300_000)
    built = bundle(tmp_path / "a.kolm", padding=2_000_000)
    proxy = CuttingProxy(host, direction, [150_000, 700_000, 900_000])
    try:
        near, behind = (proxy.host, host) if direction == "up" else (host, proxy.host)
        push(str(built.path), f"oci://{near}/x:v1", QUIET)
        monkeypatch.setenv("KOLM_HOME", str(tmp_path / "other"))
        out = tmp_path / "b.kolm"
        policy = factory.trusting()
        pull(f"oci://{behind}/x:v1", out, policy, QUIET, allow_untrusted=True)
    finally:
        proxy.close()
    assert proxy.cuts == [], "every cut happened"
    assert out.read_bytes() == built.path.read_bytes()
    assert not check(Registry(), QUIET).problems
