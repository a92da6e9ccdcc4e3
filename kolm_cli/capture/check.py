"""Looking for damage: images that are missing, changed or orphaned, pairs that were altered."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from kolm_cli.capture.pair_writes import transaction
from kolm_cli.capture.removal import Removed, sweep
from kolm_cli.capture.store import Store
from kolm_cli.core import digests
from kolm_cli.core.progress import Progress, Silent

_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass
class CheckReport:
    """What was found.

    Attributes:
        pairs: pairs looked at.
        images: images looked at; every byte of them was read.
        missing: images that a pair shows and that are not there (SHA-256).
        changed: images whose bytes have another digest than their name.
        orphaned: files in the image folder that no pair shows.
        altered: pairs (numbers) whose text has another digest than was recorded.
        database: what SQLite's own check found; empty when it is sound.
    """

    pairs: int = 0
    images: int = 0
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    altered: list[int] = field(default_factory=list)
    database: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing was found that loses data; an orphan wastes space only."""
        return not (self.missing or self.changed or self.altered or self.database)

    def as_json(self) -> dict[str, Any]:
        """The report as the document that `--json` prints."""
        return {"sound": self.sound, **self.__dict__}


def check(store: Store, progress: Progress | None = None) -> CheckReport:
    """Read everything in the store once and compare it with its digests."""
    progress = progress or Silent()
    report = CheckReport()
    progress.stage("checking the database")
    found = store.connection.execute("PRAGMA integrity_check(20)").fetchall()
    report.database = [text for (text,) in found if text != "ok"]
    progress.stage("checking pairs")
    for number, digest, text in store.connection.execute(
        "SELECT id, digest, conversation FROM pairs"
    ):
        report.pairs += 1
        if digests.sha256_bytes(text.encode()) != digest.hex():
            report.altered.append(number)
        progress.advance(report.pairs)
    progress.stage("checking images")
    for (name,) in store.connection.execute("SELECT sha256 FROM images ORDER BY sha256"):
        report.images += 1
        sha256 = name.hex()
        try:
            if digests.sha256_file(store.files.path(sha256)) != sha256:
                report.changed.append(sha256)
        except FileNotFoundError:
            report.missing.append(sha256)
        progress.advance(report.images)
    report.orphaned = _orphans(store)
    return report


def _orphans(store: Store) -> list[str]:
    """Files without a pair, by their path under the image folder."""
    found = []
    for path in store.files:
        name = path.name
        shown = (
            _NAME.fullmatch(name)
            and store.connection.execute(
                "SELECT 1 FROM images JOIN pair_images ON image = images.id WHERE sha256 = ?",
                (bytes.fromhex(name),),
            ).fetchone()
        )
        if not shown:
            found.append(path.relative_to(store.files.folder).as_posix())
    return found


def remove_orphans(store: Store, orphaned: list[str]) -> Removed:
    """Delete orphaned files; one that a pair came to show meanwhile stays."""
    done = Removed()
    rows = store.connection.execute(
        "SELECT id FROM images WHERE NOT EXISTS (SELECT 1 FROM pair_images WHERE image = images.id)"
    ).fetchall()
    sweep(store.connection, store.files, [number for (number,) in rows], done)
    with transaction(store.connection):
        still = set(_orphans(store))
        for name in orphaned:
            path = store.files.folder / name
            if name in still and path.is_file():
                done.images += 1
                done.bytes += path.stat().st_size
                path.unlink()
    return done
