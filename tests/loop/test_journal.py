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
