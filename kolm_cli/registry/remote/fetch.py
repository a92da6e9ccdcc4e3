"""Pull from a registry elsewhere: every byte is checked, and none is asked for twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kolm_cli.bundle.format.manifest import read_manifest
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.core import digests
from kolm_cli.core.digests import is_cid
from kolm_cli.core.errors import InputError, KolmError, Problem, VerificationError
from kolm_cli.core.progress import Progress
from kolm_cli.registry.assemble import assemble, staged, verified
from kolm_cli.registry.blobs import checked
from kolm_cli.registry.names import Remote
from kolm_cli.registry.oci_image import (
    MANIFEST_TYPE,
    MAX_IMAGE_BYTES,
    Descriptor,
    OciImage,
    read_image,
)
from kolm_cli.registry.pull import Pulled
from kolm_cli.registry.remote.client import Client
from kolm_cli.registry.remote.patience import InterruptedTransferError, Patience
from kolm_cli.registry.store import Registry
from kolm_cli.registry.workspace import Lease


def fetch(
    registry: Registry,
    source: Remote,
    out: Path | None,
    trust: TrustPolicy,
    progress: Progress,
    *,
    allow_untrusted: bool = False,
    plain_http: bool = False,
) -> Pulled:
    """Take a bundle from a registry elsewhere into a file, and into the local registry.

    Args:
        registry: keeps the blobs, so that a pull that failed continues where it was.
        source: where it is.
        out: the file; the bundle's own name with `.kolm` in the working folder when None.
        trust: whose signatures count.
        progress: told of the bytes.
        allow_untrusted: take what is intact, whoever signed it.
        plain_http: allow http with a host that is not this one.

    Raises:
        InputError: there is no such bundle.
        VerificationError: something is not what it should be, or the policy refuses the bundle.
        LackingError: the network, the permission or the room is lacking.
    """
    if not source.reference:
        raise InputError(Problem("has no tag", str(source), f"write {source}:TAG"))
    with (
        Client(source, write=False, plain_http=plain_http) as client,
        registry.at_work() as lease,
    ):
        image = _image(client)
        if is_cid(source.reference) and image.cid != source.reference:
            raise VerificationError(Problem(f"holds {image.cid}", str(source)))
        lease.protect([file.hex for file in image.blobs])
        progress.stage("pull", image.total_bytes, "bytes")
        done = 0
        for blob in image.blobs:
            _blob(client, registry, blob, lease, progress, done)
            done += blob.size
            progress.advance(done)
        target = out or Path(f"{_name(registry, image)}.kolm")
        with staged(target) as stream:
            assemble(image, registry.blobs, stream)
            report, evidence = verified(
                stream, target, trust, image.cid, allow_untrusted=allow_untrusted
            )
            # In the index only now: what was refused is never listed.
            entry = registry.commit(image, evidence.manifest.name, None, lease)
        return Pulled(target, entry.cid, entry.digest, report.state)


def _name(registry: Registry, image: OciImage) -> str:
    config = image.files[0]
    return read_manifest(registry.blobs.read(config.hex, config.size)).name


def _image(client: Client) -> OciImage:
    """The OCI manifest, by tag or digest."""
    source = client.remote
    patience = Patience()
    while True:
        try:
            with client.request(
                "GET", f"manifests/{source.reference}", headers={"Accept": MANIFEST_TYPE}
            ) as answer:
                data = b""
                for piece in answer.iter_raw():
                    data += piece
                    if len(data) > MAX_IMAGE_BYTES:
                        raise VerificationError(Problem("is too large", str(source)))
                said = answer.headers.get("docker-content-digest", "")
            break
        except InterruptedTransferError as error:
            patience.failed(error)
    digest = f"sha256:{digests.sha256_bytes(data)}"
    wanted = source.reference if source.pinned else said or digest
    if digest != wanted:
        raise VerificationError(
            Problem(f"the manifest has the digest {digest}, not {wanted}", str(source))
        )
    try:
        return read_image(data)
    except VerificationError as error:
        raise VerificationError(*(Problem(str(p), str(source)) for p in error.problems)) from error


def _blob(
    client: Client,
    registry: Registry,
    blob: Descriptor,
    lease: Lease,
    progress: Progress,
    before: int,
) -> None:
    """Fetch a blob unless it is here; after a failure, from where it stopped."""
    if registry.blobs.holds(blob.hex, blob.size):
        return
    temporary = lease.temporary()
    patience = Patience()
    with temporary.open("xb") as stream:
        while stream.tell() < blob.size:
            try:
                for piece in _rest(client, blob, stream.tell()):
                    if piece is None:
                        # The registry begins anew instead.
                        stream.seek(0)
                        stream.truncate()
                        continue
                    stream.write(piece)
                    if stream.tell() > blob.size:
                        raise VerificationError(
                            Problem(f"has more than {blob.size} bytes", _where(client, blob))
                        )
                    patience.reached(stream.tell())
                    progress.advance(before + stream.tell())
                if stream.tell() < blob.size:
                    # A proxy that ends a body early may still end it well-formed.
                    raise InterruptedTransferError(
                        Problem(f"ends after {stream.tell()} bytes", _where(client, blob))
                    )
            except InterruptedTransferError as error:
                patience.failed(error)
    with temporary.open("rb") as written:
        chunks = iter(lambda: written.read(digests.CHUNK), b"")
        try:
            for _ in checked(chunks, blob.hex, blob.size, _where(client, blob)):
                pass
        except VerificationError as error:
            raise VerificationError(
                *error.problems, hint="the registry's copy is damaged"
            ) from error
    registry.blobs.adopt(temporary, blob.hex)


def _where(client: Client, blob: Descriptor) -> str:
    return f"{client.remote}: {blob.path}"


def _rest(client: Client, blob: Descriptor, position: int) -> Iterator[bytes | None]:
    """The content from `position` on; None first when it begins at the start again."""
    headers = {"Range": f"bytes={position}-"} if position else {}
    try:
        with client.request(
            "GET", f"blobs/{blob.digest}", headers=headers, expected=(200, 206), large=True
        ) as answer:
            begins = answer.headers.get("content-range", "").startswith(f"bytes {position}-")
            if position and not (answer.status_code == 206 and begins):
                yield None
                if answer.status_code == 206:
                    raise InterruptedTransferError(
                        Problem("another range was sent", _where(client, blob))
                    )
            # As it arrives: what httpx would gather into larger pieces is lost with a connection.
            yield from answer.iter_raw()
    except InputError as error:
        raise _missing(client, blob) from error


def _missing(client: Client, blob: Descriptor) -> KolmError:
    return VerificationError(Problem(f"lacks the blob {blob.digest}", _where(client, blob)))
