"""`registry check`: reads everything that is stored, and says what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.manifest import read_manifest
from kolm_cli.core.digests import sha256_file
from kolm_cli.core.errors import KolmError, Problem
from kolm_cli.core.progress import Progress
from kolm_cli.registry.collect import needed_by
from kolm_cli.registry.index import Index, StoredBundle
from kolm_cli.registry.store import Registry


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        problems: everything that is wrong; empty when the registry is sound.
        cids: of every bundle that is whole.
        blobs: how many files were read.
        bytes: what they hold.
        superfluous: blobs that nothing needs: no damage, `gc` removes them.
        abandoned: commands that were killed, whose temporary files remain: `gc` removes them.
    """

    problems: list[Problem]
    cids: list[str]
    blobs: int
    bytes: int
    superfluous: int
    abandoned: int


def check(registry: Registry, progress: Progress) -> Checked:
    """Check a registry, while others go on using it.

    Every blob is hashed, every name followed to its OCI manifest, every bundle's files compared
    with its own manifest.
    """
    if not registry.root.exists():
        return Checked([], [], 0, 0, 0, 0)
    problems: list[Problem] = []
    with registry.at_work() as lease:
        with registry.workspace.locked():
            index = registry.index()
            names = registry.blobs.names()
            # What is looked at stays until the check is over.
            running = registry.workspace.leased()
            abandoned = len(registry.workspace.abandoned())
            lease.note(names)
        problems += _layout(registry)
        progress.stage("check", len(names), "files")
        total = 0
        for done, name in enumerate(names, 1):
            path = registry.blobs.path(name)
            if not path.is_file() or sha256_file(path) != name:
                problems.append(Problem("does not hold what its name says", str(path)))
            else:
                total += path.stat().st_size
            progress.advance(done)
        cids = []
        for entry in {e.digest: e for e in index.entries}.values():
            wrong = list(_entry(registry, entry, set(names)))
            problems += wrong
            cids += [] if wrong else [entry.cid]
        problems += _refs(index)
    try:
        superfluous = len(set(names) - needed_by(registry, index) - running)
    except KolmError:
        superfluous = 0  # what is needed cannot be told; the problems say why
    return Checked(problems, sorted(set(cids)), len(names), total, superfluous, abandoned)


def _layout(registry: Registry) -> Iterator[Problem]:
    path = registry.root / "oci-layout"
    try:
        if json.loads(path.read_bytes())["imageLayoutVersion"] != "1.0.0":
            yield Problem("is not the layout version 1.0.0", str(path))
    except (OSError, ValueError, KeyError, TypeError):
        yield Problem("is missing or damaged", str(path))


def _refs(index: Index) -> Iterator[Problem]:
    refs = [entry.ref for entry in index.entries if entry.ref]
    for ref in sorted({ref for ref in refs if refs.count(ref) > 1}):
        yield Problem("names two bundles", ref)
    # A tag's bundle is also listed by itself, so that removing the tag does not lose it.
    plain = {entry.digest for entry in index.entries if not entry.tag}
    for entry in index.entries:
        if entry.digest not in plain:
            yield Problem(f"names {entry.digest}, which is not listed by itself", entry.ref)


def _entry(registry: Registry, entry: StoredBundle, names: set[str]) -> Iterator[Problem]:
    where = f"{entry.cid} ({entry.digest})"
    try:
        image = registry.image(entry)
        config = image.files[0]
        manifest = read_manifest(registry.blobs.read(config.hex, config.size))
    except KolmError as error:
        yield from (Problem(str(problem), where) for problem in error.problems)
        return
    if manifest.name != entry.name:
        yield Problem(f"is listed as {entry.name}; its name is {manifest.name}", where)
    for file in image.files:
        if file.hex not in names:
            yield Problem(f"{file.path}: the blob {file.digest} is missing", where)
    stored = {f.path: (f.size, f.hex) for f in image.files if layout.is_attested(f.path)}
    if stored != {path: (r.size, r.sha256) for path, r in manifest.files.items()}:
        yield Problem("has other files than its manifest lists", where)
