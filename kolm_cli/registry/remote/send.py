"""Push to a registry elsewhere: what it lacks is sent, large files in resumable pieces."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urljoin

from kolm_cli.core.digests import is_cid
from kolm_cli.core.errors import InputError, Problem, VerificationError
from kolm_cli.core.progress import Progress
from kolm_cli.registry.index import StoredBundle
from kolm_cli.registry.names import Pinned, Remote
from kolm_cli.registry.oci_image import MANIFEST_TYPE, Descriptor, OciImage
from kolm_cli.registry.pull import held
from kolm_cli.registry.remote.client import Client
from kolm_cli.registry.remote.patience import InterruptedTransferError, Patience
from kolm_cli.registry.store import Registry

if TYPE_CHECKING:
    import httpx

PIECE = 8 << 20


@dataclass(frozen=True)
class Sent:
    """What a push to a registry has done.

    Attributes:
        refs: the names that the bundle has there now.
        written: blobs that were sent.
        present: blobs that were there.
    """

    refs: tuple[str, ...]
    written: int
    present: int


def send(
    registry: Registry,
    entry: StoredBundle,
    target: Remote,
    progress: Progress,
    *,
    plain_http: bool = False,
) -> Sent:
    """Send a stored bundle; it is tagged with its CID, and with the target's tag last of all.

    Raises:
        InputError: the target cannot be pushed to.
        VerificationError: the registry says that it has something else than was sent.
        LackingError: the network or the permission is lacking.
    """
    if target.pinned:
        raise InputError(Problem("a digest cannot be pushed to", str(target), "name a tag"))
    if is_cid(target.reference) and target.reference != entry.cid:
        raise InputError(Problem(f"the bundle's CID is {entry.cid}", str(target)))
    tags = list(dict.fromkeys((entry.cid, target.reference or entry.cid)))
    with (
        held(registry, Pinned(entry.name, entry.digest)) as (_, image),
        Client(target, write=True, plain_http=plain_http) as client,
    ):
        progress.stage("push", image.total_bytes, "bytes")
        done = written = 0
        for blob in image.blobs:
            written += _blob(client, blob, registry.blobs.path(blob.hex), progress, done)
            done += blob.size
            progress.advance(done)
        for tag in tags:
            _manifest(client, image, tag)
    refs = tuple(str(Remote(target.host, target.repository, tag)) for tag in tags)
    return Sent(refs, written, len(image.blobs) - written)


def _blob(client: Client, blob: Descriptor, path: Path, progress: Progress, before: int) -> bool:
    """Send a blob unless it is there; returns whether it was sent."""
    # Never told of progress: an upload may begin anew only so often, however long it takes.
    restarts = Patience(timed=False)
    while True:
        try:
            if _is_there(client, blob):
                return False
            _Upload(client, blob, path).run(progress, before)
            return True
        except InterruptedTransferError as error:
            restarts.failed(error)


def _is_there(client: Client, blob: Descriptor) -> bool:
    with client.request("HEAD", f"blobs/{blob.digest}", expected=(200, 404)) as answer:
        return answer.status_code == 200 and answer.headers.get("content-length") == str(blob.size)


class _Upload:
    """One upload session: pieces in order, and a question of how far it is after a failure."""

    def __init__(self, client: Client, blob: Descriptor, path: Path) -> None:
        self._client = client
        self._blob = blob
        self._path = path
        self._patience = Patience()
        self._url = ""

    def run(self, progress: Progress, before: int) -> None:
        with self._client.request("POST", "blobs/uploads/", expected=(202,)) as answer:
            self._moved(answer)
        position = 0
        with self._path.open("rb") as stream:
            while self._blob.size - position > PIECE:
                piece = os.pread(stream.fileno(), PIECE, position)
                position = self._piece(piece, position)
                progress.advance(before + position)
            rest = os.pread(stream.fileno(), PIECE, position)
        self._finish(rest, position)

    def _piece(self, piece: bytes, position: int) -> int:
        """Send one piece; returns how far the registry is afterwards."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{position}-{position + len(piece) - 1}",
        }
        try:
            with self._client.request(
                "PATCH", self._url, headers=headers, content=piece, expected=(202,)
            ) as answer:
                self._moved(answer)
                after = _position(answer, position + len(piece))
            if after <= position:
                # It could say so for ever.
                raise InterruptedTransferError(
                    Problem("the registry takes nothing", self._client.remote.host)
                )
            self._patience.reached(after)
            return after
        except InterruptedTransferError as error:
            self._patience.failed(error)
            return self._ask(position)

    def _ask(self, position: int) -> int:
        """How far the registry is, after a failure.

        Some registries forget an upload that broke off within a piece: it is begun anew then.
        """
        while True:
            try:
                with self._client.request(
                    "GET", self._url, expected=(200, 204, 400, 404, 416)
                ) as answer:
                    if answer.status_code >= 400:
                        break
                    self._moved(answer)
                    return _position(answer, position)
            except InterruptedTransferError as error:
                self._patience.failed(error)
        raise InterruptedTransferError(
            Problem("the registry lost the upload", self._client.remote.host)
        )

    def _finish(self, rest: bytes, position: int) -> None:
        mark = "&" if "?" in self._url else "?"
        url = f"{self._url}{mark}{urlencode({'digest': self._blob.digest})}"
        headers = {"Content-Type": "application/octet-stream"}
        if position:
            headers["Content-Range"] = f"{position}-{position + len(rest) - 1}"
        with self._client.request(
            "PUT", url, headers=headers, content=rest, expected=(201,)
        ) as answer:
            _same_digest(answer, self._blob.digest)

    def _moved(self, answer: httpx.Response) -> None:
        location = answer.headers.get("location")
        if location:
            self._url = urljoin(str(answer.request.url), location)
        elif not self._url:
            raise InterruptedTransferError(
                Problem("the registry opens an upload without a place", self._client.remote.host)
            )


def _position(answer: httpx.Response, default: int) -> int:
    """The bytes that the registry has, from `Range: 0-N`."""
    text = answer.headers.get("range", "")
    start, dash, last = text.rpartition("=")[2].partition("-")
    if not dash or start != "0" or not last.isdecimal():
        return default
    # `0-0` is what an upload of no bytes says, too; pieces are never of one byte.
    return int(last) + 1 if int(last) else 0


def _manifest(client: Client, image: OciImage, tag: str) -> None:
    patience = Patience()
    while True:
        try:
            with client.request(
                "PUT",
                f"manifests/{tag}",
                headers={"Content-Type": MANIFEST_TYPE},
                content=image.data,
                expected=(201,),
            ) as answer:
                _same_digest(answer, image.digest)
                return
        except InterruptedTransferError as error:
            patience.failed(error)


def _same_digest(answer: httpx.Response, digest: str) -> None:
    said = answer.headers.get("docker-content-digest", digest)
    if said != digest:
        raise VerificationError(Problem(f"the registry stored {said:.100}, not {digest}"))
