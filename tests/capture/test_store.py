"""The store: several writers, kills, network file systems, newer schemas, digests."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from kolm_cli.capture import schema
from kolm_cli.capture.filters import Filter
from kolm_cli.capture.store import Store
from kolm_cli.core.errors import InputError, LackingError
from kolm_cli.records.conversation import Conversation, Image, Message, Text
from tests.capture.helpers import Kolm, png, put

WRITER = textwrap.dedent(
    """
    import sys
    sys.path.insert(0, sys.argv[3])
    from tests.capture.helpers import png
    from kolm_cli.records.conversation import Conversation
    from kolm_cli.capture.store import Store
    from kolm_cli.core.digests import sha256_bytes
    me, count = int(sys.argv[1]), int(sys.argv[2])
    with Store.open() as store:
        for i in range(count):
            # Every other pair is one that all the writers add.
            text = f"shared {i}" if i % 2 else f"own {me} {i}"
            data = png((i, 0, 0))
            name = sha256_bytes(data)
            store.add("ns", Conversation.of(text, "r", (name,)), {name: data}, source="w")
    """
)


def test_processes_that_write_at_once_lose_nothing(home: Path) -> None:
    writers, count = 6, 40
    here = str(Path(__file__).parents[2])
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(i), str(count), here])
        for i in range(writers)
    ]
    assert [process.wait(timeout=120) for process in running] == [0] * writers
    with Store.open() as store:
        assert store.count("ns") == writers * count // 2 + count // 2
        texts = {pair.conversation.messages[0].text for pair in store.pairs("ns")}
        assert len(texts) == writers * count // 2 + count // 2


def test_a_writer_that_is_killed_leaves_a_sound_store(home: Path, kolm: Kolm) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, "0", "100000", str(Path(__file__).parents[2])]
    )
    deadline = time.monotonic() + 60
    while not (home / "images").exists() or len(list((home / "images").rglob("*"))) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    ran = kolm("capture", "check", "--json")
    assert ran.code == 0
    assert ran.json["sound"] is True
    assert ran.json["pairs"] > 0


def test_a_network_file_system_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(schema, "MOUNTS", mounts)
    line = "29 1 0:26 / {} rw,relatime shared:1 - {} server:/x rw\n"
    home.mkdir()
    for kind in ("nfs4", "cifs", "9p", "fuse.sshfs", "lustre"):
        mounts.write_text(line.format("/", "ext4") + line.format(home.parent, kind))
        with pytest.raises(LackingError, match="network file system") as caught:
            Store.open()
        assert caught.value.exit_code == 5
    # A local mount inside of a network one is local; so is a name that only begins alike.
    mounts.write_text(line.format(home.parent, "nfs4") + line.format(home, "ext4"))
    Store.open().close()
    mounts.write_text(line.format("/", "ext4") + line.format(f"{home}x", "nfs4"))
    Store.open().close()
    assert schema.file_system_of(Path("/a b/c"), line.format("/a\\040b", "nfs")) == "nfs"


def test_a_newer_schema_and_a_foreign_file_are_refused(home: Path) -> None:
    Store.open().close()
    connection = sqlite3.connect(home / "capture.db")
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(LackingError, match="another version"):
        Store.open()
    (home / "capture.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(LackingError, match="not a capture database"):
        Store.open()


def test_order_and_digest_do_not_depend_on_who_wrote_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for name, order in (("one", range(20)), ("two", reversed(range(20)))):
        with Store.open(tmp_path / name) as store:
            for i in order:
                put(store, f"q{i}", i)
            seen.append((store.namespace_digest("ns"), [p.digest for p in store.pairs("ns")]))
            before = store.namespace_digest("ns")
            put(store, "one more", 1)
            assert store.namespace_digest("ns") != before
    assert seen[0] == seen[1]


def test_adding_a_known_pair_keeps_its_further_answers_and_tags(store: Store) -> None:
    number = put(store, "a", 1, answers=("x",), tags=("t",))
    digest = store.namespace_digest("ns")
    assert put(store, "a", 1, answers=("x", "y"), tags=("u",)) == number
    (pair,) = store.pairs("ns")
    assert pair.answers == ("x", "y")
    assert pair.tags == ("t", "u")
    assert store.namespace_digest("ns") != digest


def test_the_namespace_digest_follows_what_pairs_would_give(store: Store) -> None:
    numbers = [put(store, f"q{i}", i) for i in range(4)]
    everything = store.namespace_digest("ns")
    accepted = store.namespace_digest("ns", accepted_only=True)
    store.connection.execute("UPDATE pairs SET review = 1 WHERE id = ?", (numbers[0],))
    assert store.namespace_digest("ns") == everything
    assert store.namespace_digest("ns", accepted_only=True) != accepted
    store.connection.execute("UPDATE pairs SET review = 2 WHERE id = ?", (numbers[1],))
    assert store.namespace_digest("ns") != everything
    assert store.count("ns") == 3
    assert store.count("ns", accepted_only=True) == 1
    assert store.count("ns", matching=Filter()) == 4


def test_a_pair_that_teaches_nothing_is_refused(store: Store) -> None:
    empty = Conversation((Message("user", (Text("q"),)), Message("assistant", ())))
    with pytest.raises(InputError, match="the response is empty"):
        store.add("ns", empty, {}, source="t")
    unknown = Conversation.of("q", "r", ("0" * 64,))
    with pytest.raises(InputError, match="was not given"):
        store.add("ns", unknown, {}, source="t")
    lying = Conversation.of("q", "r", ("0" * 64,))
    with pytest.raises(InputError, match="another digest"):
        store.add("ns", lying, {"0" * 64: png()}, source="t")
    shown = Message("assistant", (Image("0" * 64), Text("r")))
    with pytest.raises(InputError, match="holds an image"):
        store.add("ns", Conversation((Message("user", (Text("q"),)), shown)), {}, source="t")
