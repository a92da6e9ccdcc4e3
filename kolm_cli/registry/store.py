"""The local registry: an OCI image layout under `$KOLM_HOME`, safe among many processes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from kolm_cli.bundle.container.open_bundle import Bundle, open_bundle
from kolm_cli.bundle.container.unpack import require
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.bundle.verify import judge
from kolm_cli.core.errors import InputError, Problem, VerificationError
from kolm_cli.core.files import write_atomic
from kolm_cli.core.home import home_path
from kolm_cli.core.progress import Progress
from kolm_cli.registry.blobs import Blobs
from kolm_cli.registry.index import Index, StoredBundle, find, promoted, read_index, write_index
from kolm_cli.registry.names import ContentId, Local, Tag
from kolm_cli.registry.oci_image import OciImage, image_of, read_image
from kolm_cli.registry.workspace import Lease, Workspace, storage_errors

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


@dataclass(frozen=True)
class Stored:
    """The outcome of a push.

    Attributes:
        entry: what is stored now.
        written: blobs that had to be written.
        present: blobs that were there.
    """

    entry: StoredBundle
    written: int
    present: int


class Registry:
    """A local registry. Looking at one that is not there finds it empty; writing makes it."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = home_path() / "registry" if root is None else root
        self.blobs = Blobs(self.root / "blobs" / "sha256")
        self.workspace = Workspace(self.root / ".kolm")
        self._index = self.root / "index.json"

    @property
    def exists(self) -> bool:
        """Whether somebody has written to it."""
        return (self.root / "oci-layout").exists()

    @contextlib.contextmanager
    def at_work(self) -> Iterator[Lease]:
        """Take a lease, making the registry first where there is none.

        Raises:
            LackingError: there is no room, or no permission.
            VerificationError: the registry is damaged.
        """
        with storage_errors(self.root):
            self._prepare()
            with self.workspace.lease() as lease:
                yield lease

    def _prepare(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.workspace.prepare()
        if self._index.exists():
            return
        with self.workspace.locked():
            if self._index.exists():
                return
            if self.blobs.names():
                # A new index would forget every bundle that is here.
                raise self._damaged("is missing, although there are blobs")
            self.blobs.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self.root / "oci-layout", LAYOUT)
            write_index(self._index, Index())

    def index(self) -> Index:
        """What is stored now.

        Raises:
            VerificationError: `index.json` is damaged.
        """
        try:
            return read_index(self._index)
        except FileNotFoundError:
            if self.blobs.names():
                raise self._damaged("is missing, although there are blobs") from None
            return Index()

    @contextlib.contextmanager
    def changing(self) -> Iterator[list[Index]]:
        """Change the index under the lock: a list of the one index, to be replaced in the block."""
        with self.workspace.locked():
            before = self.index()
            box = [before]
            yield box
            # Compared as they are written: in order.
            if box[0].to_bytes() != before.to_bytes():
                self.replace_index(box[0])

    def replace_index(self, index: Index) -> None:
        """Write the index. Only for who holds the lock."""
        write_index(self._index, index)

    def push(self, path: Path, tag: Tag | None, progress: Progress) -> Stored:
        """Store a bundle, and give it a name.

        Args:
            path: the `.kolm` file. It must be intact; who signed it does not matter.
            tag: its name, moved to it from any other bundle; None stores it by its CID alone.
            progress: told of the bytes.

        Raises:
            InputError: there is no such file.
            VerificationError: it is damaged.
            LackingError: the disk is full, or may not be written.
        """
        with open_bundle(path) as bundle:
            require(judge(bundle.contents, TrustPolicy()), path, allow_untrusted=True)
            with self.at_work() as lease:
                return self._push(bundle, tag, lease, progress)

    def _push(self, bundle: Bundle, tag: Tag | None, lease: Lease, progress: Progress) -> Stored:
        image = image_of(bundle)
        progress.stage("store", image.total_bytes, "bytes")
        lease.protect([file.hex for file in image.blobs])
        done = written = 0
        for file in image.blobs:
            content = partial(bundle.stream, file.path)
            written += self.blobs.put(file.hex, file.size, content, lease)
            done += file.size
            progress.advance(done)
        entry = self.commit(image, bundle.manifest.name, tag, lease)
        return Stored(entry, written, len(image.blobs) - written)

    def commit(self, image: OciImage, name: str, tag: Tag | None, lease: Lease) -> StoredBundle:
        """Put an image whose blobs are all stored into the index: from here on it is kept."""
        digest = image.digest
        lease.protect([digest.removeprefix("sha256:")])
        self.blobs.put(digest.removeprefix("sha256:"), len(image.data), lambda: [image.data], lease)
        self.blobs.sync()
        entry = StoredBundle(
            digest,
            len(image.data),
            image.cid,
            name,
            datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            image.total_bytes,
            ref=image.cid,
        )
        with self.changing() as box:
            box[0] = box[0].with_bundle(entry)
            if tag is not None:
                box[0] = box[0].with_tag(entry, str(tag))
        return entry

    def entries(self) -> list[StoredBundle]:
        """Every name, and every bundle without one, once."""
        found = self.index().entries
        tagged = {entry.digest for entry in found if entry.tag}
        return sorted(
            (entry for entry in found if entry.tag or entry.digest not in tagged),
            key=lambda e: (not e.tag, e.tag, e.stored, e.digest),
        )

    def resolve(self, reference: Local) -> StoredBundle:
        """The bundle that has a name now.

        Raises:
            InputError: nothing is stored under it.
        """
        return find(self.index(), reference)

    def image(self, entry: StoredBundle) -> OciImage:
        """A stored bundle's OCI manifest.

        Raises:
            VerificationError: the registry is damaged.
        """
        image = read_image(self.blobs.read(entry.hex, entry.size))
        if image.cid != entry.cid:
            raise self._damaged(f"says that {entry.digest} is {entry.cid}; it is {image.cid}")
        return image

    def tag(self, reference: Local, tag: Tag) -> StoredBundle:
        """Give a stored bundle a further name, taking it from any other bundle.

        Raises:
            InputError: `reference` names nothing.
        """
        with self.at_work(), self.changing() as box:
            entry = find(box[0], reference)
            box[0] = box[0].with_tag(entry, str(tag))
        return entry

    def remove(self, reference: Local, *, force: bool = False) -> list[StoredBundle]:
        """Take a name away, or (for a CID or a digest) a bundle. Its blobs stay until `gc`.

        Args:
            reference: a tag; or a CID, which removes its content with whatever signatures.
            force: remove a bundle although it has tags, and these with it.

        Returns:
            The entries that are gone.

        Raises:
            InputError: it names nothing, or a bundle that still has tags.
        """
        with self.at_work(), self.changing() as box:
            entry = find(box[0], reference)
            if isinstance(reference, Tag):
                gone = [e for e in box[0].entries if e.tag == str(reference)]
            elif isinstance(reference, ContentId):
                gone = [e for e in box[0].entries if e.cid == entry.cid]
            else:
                gone = [e for e in box[0].entries if e.digest == entry.digest]
            tags = sorted(e.tag for e in gone if e.tag)
            if tags and not force and not isinstance(reference, Tag):
                raise InputError(
                    Problem(
                        f"is still named {', '.join(tags)}",
                        str(reference),
                        "remove the tags first, or say --force",
                    )
                )
            box[0] = promoted(box[0].without(gone), entry.cid)
        return gone

    def _damaged(self, what: str) -> VerificationError:
        return VerificationError(Problem(what, str(self._index)), hint="kolm registry check")
