"""The capture database: where it may be, its tables, and how a connection is opened."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

from kolm_cli.core.errors import LackingError, Problem

SCHEMA_VERSION = 1
# Writers queue behind each other; every transaction is short, so a minute is never reached
# unless a process hangs inside one.
BUSY_SECONDS = 60.0

# WAL keeps its index in shared memory, which these do not share between machines.
_NETWORK = re.compile(
    r"9p|afs|afpfs|beegfs|ceph|cifs|coda|davfs|drvfs|glusterfs|gpfs|lustre|ncpfs|nfs4?|ocfs2|"
    r"orangefs|pvfs2|smb3|smbfs|"
    r"fuse\.(sshfs|glusterfs|ceph.*|s3fs|gcsfuse|goofys|rclone|blobfuse.*|davfs.*|juicefs|"
    r"mount-s3|smb.*|nfs.*|lustre|beegfs|moosefs|mfs.*)"
)
MOUNTS = Path("/proc/self/mountinfo")

_TABLES = """
CREATE TABLE namespaces(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);
CREATE TABLE pairs(
  id INTEGER PRIMARY KEY,
  namespace INTEGER NOT NULL REFERENCES namespaces(id),
  digest BLOB NOT NULL,               -- of the conversation, 32 bytes
  review INTEGER NOT NULL DEFAULT 0,  -- an index into REVIEW_STATES
  answers TEXT NOT NULL,              -- further accepted answers, a JSON list; '' for none
  first_image INTEGER,                -- images.id of the first image, NULL for none
  prompt_hash BLOB,                   -- places a pair without images in a split, else NULL
  captured INTEGER NOT NULL,          -- milliseconds since 1970, UTC
  model TEXT NOT NULL,
  source TEXT NOT NULL,               -- 'charts.jsonl:17', 'proxy', 'add'
  reviewer TEXT NOT NULL DEFAULT '',
  reviewed INTEGER,                   -- milliseconds since 1970, UTC
  corrected_from BLOB,                -- the digest before a reviewer corrected the response
  conversation TEXT NOT NULL          -- canonical JSON, last because it is the longest
);
CREATE UNIQUE INDEX pairs_by_digest ON pairs(namespace, digest);
-- Covers what recognises unchanged inputs: nothing else of a pair is read for it.
CREATE INDEX pairs_in_brief ON pairs(namespace, digest, review, answers);
CREATE INDEX pairs_by_time ON pairs(namespace, captured);
CREATE TABLE images(
  id INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  size INTEGER NOT NULL,
  format TEXT NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  orientation INTEGER NOT NULL,       -- EXIF, undone whenever the image is read
  looks BLOB                          -- perceptual hash, computed when first asked for
);
CREATE TABLE pair_images(
  pair INTEGER NOT NULL REFERENCES pairs(id) ON DELETE CASCADE,
  image INTEGER NOT NULL REFERENCES images(id),
  PRIMARY KEY(pair, image)
) WITHOUT ROWID;
CREATE INDEX pairs_by_image ON pair_images(image, pair);
CREATE TABLE pair_tags(
  tag TEXT NOT NULL,
  pair INTEGER NOT NULL REFERENCES pairs(id) ON DELETE CASCADE,
  PRIMARY KEY(tag, pair)
) WITHOUT ROWID;
CREATE INDEX tags_by_pair ON pair_tags(pair, tag);
CREATE TABLE calls(
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,           -- given when the call was answered; replaying adds nothing
  namespace INTEGER NOT NULL REFERENCES namespaces(id),
  time INTEGER NOT NULL,              -- milliseconds since 1970, UTC
  path TEXT NOT NULL,
  model TEXT NOT NULL,
  pair INTEGER REFERENCES pairs(id) ON DELETE SET NULL,
  note TEXT NOT NULL DEFAULT ''       -- why no pair came of it
);
CREATE INDEX calls_by_pair ON calls(pair);
"""


def file_system_of(path: Path, mounts: str) -> str:
    """The type of the file system that holds `path`, by the text of `/proc/self/mountinfo`."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        left, separator, right = line.partition(" - ")
        fields = left.split()
        if not separator or len(fields) < 5:
            continue
        # Spaces and such in a mount point are octal escapes.
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), fields[4])
        # Of two mounts on one point the later hides the earlier, hence >=.
        if len(point) >= best and path.is_relative_to(point):
            best, kind = len(point), right.split()[0]
    return kind


def refuse_network_file_system(folder: Path) -> None:
    """Raise `LackingError` when `folder` is on a file system where WAL is unsafe."""
    try:
        mounts = MOUNTS.read_text(errors="replace")
    except OSError:
        return  # Not Linux: the file system's type is not known, and nothing is claimed.
    kind = file_system_of(folder.resolve(), mounts)
    if _NETWORK.fullmatch(kind):
        raise LackingError(
            Problem(
                f"this folder is on a network file system ({kind}), where the capture database "
                "could be damaged by two machines writing at once",
                where=str(folder),
                fix="set KOLM_HOME to a folder on a local disk",
            )
        )


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode (transactions are begun by hand), tables made when new."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -16000")  # KiB
        if read_only:
            return connection
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Removed text is overwritten in the file, not only unlinked from its page.
        connection.execute("PRAGMA secure_delete = ON")
        _make_tables(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise LackingError(
            Problem(f"not a capture database: {error}", where=str(path)),
            hint="move the file away, or set KOLM_HOME to another folder",
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have made them while this one waited for the lock.
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _TABLES.split(";\n"):
                    if statement.strip():
                        connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                version = SCHEMA_VERSION
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
    if version != SCHEMA_VERSION:
        raise LackingError(
            Problem(
                f"written by another version of kolm (schema {version}, this one reads "
                f"{SCHEMA_VERSION})",
                where=str(path),
                fix="update kolm, or set KOLM_HOME to another folder",
            )
        )


def open_database(home: Path) -> sqlite3.Connection:
    """Open `home`/capture.db for reading and writing, created private (0600) when missing.

    Raises:
        LackingError: a network file system, a foreign file, a newer schema, or no permission.
    """
    refuse_network_file_system(home)
    path = home / "capture.db"
    try:
        # Made by hand first, so that it (and the -wal and -shm files, which copy its mode) is
        # never readable by others.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        return connect(path)
    except (OSError, sqlite3.OperationalError) as error:
        raise LackingError(Problem(f"cannot be opened: {error}", where=str(path))) from error
