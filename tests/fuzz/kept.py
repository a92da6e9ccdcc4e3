"""What kolm left in its home, and finds there damaged or written by something else."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

from kolm_cli.core import canonical_json
from kolm_cli.core.file_digests import FileMemo
from kolm_cli.core.memo import Memo
from kolm_cli.dataset import sources
from kolm_cli.dataset.picture_book import PictureBook
from kolm_cli.encoding.row_facts import RowFacts
from kolm_cli.export.manifest import read_manifest
from kolm_cli.loop.journal import Journal
from kolm_cli.loop.place import Place
from kolm_cli.loop.status import status_of
from kolm_cli.pipeline import known_inputs, result_cache
from kolm_cli.records.images import BytesImage
from kolm_cli.registry.remote.credentials import credentials_for
from kolm_cli.spec.sources import FileSource
from tests.fuzz.mutate import damaged, documents
from tests.fuzz.target import Target, empty_home, in_file, png

_KEY = "0" * 64
_CID = "b" + "a" * 58


# -- loops ----------------------------------------------------------------------------------------


@lru_cache
def _journals() -> Sequence[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        journal = Journal(path)
        journal.configure(spec="spec.yaml", tag="live", looked="2026-01-02T03:04:05Z")
        turn = journal.begin("f", None)
        journal.compiled(turn, {"cid": _CID, "gate": {"passed": True}})
        journal.moved(journal.plan(turn, "promote", _CID, f"sha256:{_KEY}"), "better", ())
        journal.close()
        return [path.read_bytes()]


def _status(data: bytes) -> object:
    with empty_home():
        (Place.of("a").folder / "journal.sqlite").write_bytes(data)
        return status_of("a")


def _noted(data: bytes) -> object:
    """A journal whose texts are these: the settings, a turn's result, a hook's event."""
    with empty_home():
        path = Place.of("a").folder / "journal.sqlite"
        path.write_bytes(_journals()[0])
        text = data.decode("utf-8", "replace")
        database = sqlite3.connect(path)
        with database:
            database.execute("UPDATE settings SET content = ?", (text,))
            database.execute("UPDATE turns SET result = ?", (text,))
            columns = "INSERT INTO hooks (kind, target, event) VALUES ('command', 'x', ?)"
            database.execute(columns, (text,))
        database.close()
        return status_of("a").as_json()


# -- what spares work -----------------------------------------------------------------------------


def _result(data: bytes) -> object:
    with empty_home() as place:
        (place / "results").mkdir()
        (place / "results" / f"{_KEY}.json").write_bytes(data)
        return result_cache.find(_KEY, _KEY, place / "a.kolm")


def _results() -> Sequence[bytes]:
    gate = {"passed": True, "failed": []}
    report = {"cid": _CID, "gate": gate, "mistakes": [], "doubts": [], "receipt": {}}
    return [json.dumps({"name": "a", "image": f"sha256:{_KEY}", "report": report}).encode()]


@lru_cache
def _memos() -> Sequence[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memo.sqlite"
        with Memo(path) as memo:
            PictureBook(memo).of(_KEY, BytesImage(png()))
        return [path.read_bytes()]


def _memo(path: Path) -> object:
    with Memo(path) as memo:
        return PictureBook(memo).of(_KEY, BytesImage(png()))


def _remembered(data: bytes) -> object:
    """A memo in which every value is this."""
    with patch.object(Memo, "get", lambda *_: json.loads(data)):
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            return None
        book = PictureBook(Memo(Path(os.devnull)))
        return book.of(_KEY, BytesImage(png())), RowFacts.from_json("1", json.loads(data))


def _notes(data: bytes) -> object:
    """The small files that say where something is, or what its digest was."""
    with empty_home() as place:
        for name in (f"bases/{_KEY}", f"packs/{_KEY}", f"made/{_CID}", "file-digests"):
            path = place / f"{name}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        source = FileSource(place / "a.jsonl")
        with patch.object(sources, "_memo", lambda *_, **__: place / "file-digests.json"):
            known = sources.source_digest(source)
        with FileMemo() as memo:
            memo.sha256(place / "file-digests.json")
        known_inputs.known_base(_KEY)
        known_inputs.known_pack(_KEY)
        return known, known_inputs.known_curves(_CID)


def _noted_samples() -> Sequence[bytes]:
    return [
        json.dumps(note).encode()
        for note in (
            {"folder": "/nowhere"},
            {"training": _KEY},
            {"digest": _KEY, "files": [["/etc/hostname", 9, 9]]},
            {"/etc/hostname": [9, 9, 9, _KEY]},
        )
    ]


# -- other programs' ------------------------------------------------------------------------------


def _docker(data: bytes) -> object:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_bytes(data)
        with patch.dict(os.environ, {"DOCKER_CONFIG": folder, "PATH": folder}):
            return credentials_for("a.test")


def _logins() -> Sequence[bytes]:
    return [
        b'{"auths": {"a.test": {"auth": "YTpi"}, "b": {}}}',
        b'{"auths": {"a.test": {"identitytoken": "t"}}, "credHelpers": {"a.test": "x"}}',
        b'{"credsStore": "x"}',
    ]


def _exports() -> Sequence[bytes]:
    said = {"format": "kolm-export/1", "to": "vllm", "cid": _CID, "name": "a", "dtype": "bf16"}
    files = [{"path": "a/b.json", "sha256": _KEY, "size": 3}]
    base = {"model": "m", "revision": "", "weights": {}}
    return [canonical_json.dumps({**said, "kolm": "1", "base": base, "serve": {}, "files": files})]


TARGETS: tuple[Target, ...] = (
    Target("loop-journal", _journals, damaged, _status),
    Target("loop-notes", lambda: [b'{"spec": "a", "tag": "live"}'], documents, _noted),
    Target("result-entry", _results, documents, _result),
    Target("memo", _memos, damaged, in_file("memo.sqlite", _memo)),
    Target(
        "memo-value",
        lambda: [b'["00", 3, 4, "00"]', b'[9, 4, 2, 0, [["00", [3, 4], null, 4]], false]'],
        documents,
        _remembered,
    ),
    Target("notes", _noted_samples, documents, _notes),
    Target("docker-config", _logins, documents, _docker),
    Target(
        "export-manifest",
        _exports,
        documents,
        in_file("kolm-export.json", lambda path: read_manifest(path.parent)),
    ),
)
