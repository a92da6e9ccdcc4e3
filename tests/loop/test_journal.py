"""A journal that something else wrote to: damage is said, whatever it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kolm_cli.core.errors import VerificationError
from kolm_cli.loop.journal import Journal


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE settings SET content = ''",
        "UPDATE settings SET content = '[]'",
        "UPDATE settings SET content = '{\"tag\": 5}'",
        "UPDATE turns SET result = 'null'",
        "UPDATE turns SET started = x'00'",
        "UPDATE turns SET result = printf('%.*c', 20000, '[')",
        "UPDATE moves SET cid = x'00'",
        "UPDATE turns SET why = CAST(x'80' AS TEXT)",
        "UPDATE hooks SET event = '5'",
        "UPDATE hooks SET attempts = 'x'",
        "ALTER TABLE moves RENAME COLUMN cid TO dic",
        "ALTER TABLE turns ADD COLUMN more TEXT",
    ],
)
def test_values_that_kolm_does_not_write(tmp_path: Path, change: str) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal.configure(spec="spec.yaml", tag="live")
    turn = journal.begin("f", None)
    journal.plan(turn, "promote", "b", "sha256:0")
    journal.close()
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO hooks (kind, target, event) VALUES ('command', 'x', '{}')")
        database.execute(change)
    journal = Journal(path)
    with pytest.raises(VerificationError, match="the journal is damaged"):
        print(journal.settings(), journal.turns(), journal.moves(), journal.owed())
    journal.close()


def test_a_schema_that_is_no_text(tmp_path: Path) -> None:
    """What SQLite says of it quotes it: not even the error is UTF-8."""
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE hooks", b"CREATE\x80TABLE hooks"))
    with pytest.raises(VerificationError, match="the journal is damaged"):
        Journal(path).settings()
