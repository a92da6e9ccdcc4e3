"""`kolm capture rm` and `check`: what is removed leaves no trace, and damage is found."""

from __future__ import annotations

import time
from pathlib import Path

from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from tests.capture.helpers import Kolm, png, put


def test_rm_by_image_leaves_no_trace_of_text_or_picture(home: Path, kolm: Kolm) -> None:
    with Store.open() as store:
        for i in range(300):
            put(store, f"innocent {i}", i % 50)
        put(store, "SECRET-QUESTION " * 400, 77, response="SECRET-ANSWER")
        put(store, "SECRET-QUESTION too", 77, 3, namespace="other")
    picture = home.parent / "face.png"
    picture.write_bytes(png((77, 77, 77)))
    name = sha256_bytes(picture.read_bytes())
    refused = kolm("capture", "rm", "--image", picture)
    assert refused.code == 2
    assert "2 pairs would be removed" in refused.err
    assert kolm("capture", "rm", "--image", picture, "--dry-run", "--json").json["pairs"] == 2
    ran = kolm("capture", "rm", "--image", picture, "--yes", "--json")
    assert ran.code == 0
    assert ran.json == {"pairs": 2, "images": 1, "bytes": picture.stat().st_size, "clean": True}
    for path in home.rglob("*"):
        assert path.name != name
        if path.is_file():
            content = path.read_bytes()
            assert b"SECRET" not in content, path
            assert bytes.fromhex(name) not in content, path
    with Store.open() as store:
        # The other image of the pair is still shown by a pair of its own.
        assert store.count("ns") == 300
    assert kolm("capture", "check", "--json").json["orphaned"] == []


def test_rm_keeps_an_image_that_another_pair_shows(store: Store, kolm: Kolm) -> None:
    first, second = put(store, "a", 1), put(store, "b", 1)
    kept = store.image_path(sha256_bytes(png((1, 1, 1))))
    assert kolm("capture", "rm", first, "--yes").code == 0
    assert kept.is_file()
    assert kolm("capture", "rm", second, "--yes").code == 0
    assert not kept.exists()


def test_rm_by_filter_and_age_and_never_by_accident(store: Store, kolm: Kolm) -> None:
    day = 86_400_000
    now = time.time_ns() // 1_000_000
    old = put(store, "old", 1, captured=now - 100 * day, model="m1")
    put(store, "new", 2, captured=now - 2 * day, model="m2")
    assert kolm("capture", "rm", "ns", "--yes").code == 2
    assert kolm("capture", "rm", "--yes").code == 2
    assert kolm("capture", "rm", "ns", old, 999, "--yes").code == 2
    assert kolm("capture", "ls", "ns", "--limit", "9" * 20).code == 0
    # A database counts to 2^63, and Python reads 4,300 digits.
    for command, number in (("rm", "9" * 5000), ("rm", "9" * 20), ("show", "9" * 20)):
        done = kolm("capture", command, number)
        assert (done.code, "there is no such pair: 999" in done.err) == (2, True), command
    assert store.count("ns") == 2
    assert kolm("capture", "rm", "ns", "--older-than", "90d", "--yes").code == 0
    assert [pair.conversation.messages[0].text for pair in store.pairs("ns")] == ["new"]
    assert kolm("capture", "rm", "ns", "--model", "m2", "--yes").code == 0
    assert kolm("capture", "ls", "--json").json == []


def test_check_finds_missing_changed_orphaned_and_altered(store: Store, kolm: Kolm) -> None:
    put(store, "a", 1)
    put(store, "b", 2)
    altered = put(store, "c", 3)
    paths = [store.image_path(sha256_bytes(png((c, c, c)))) for c in (1, 2)]
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:-1] + b"x")
    stray = store.files.folder / "00" / ("0" * 64)
    stray.parent.mkdir(mode=0o700)
    stray.write_bytes(b"stray")
    store.connection.execute(
        "UPDATE pairs SET conversation = replace(conversation, '\"c\"', '\"x\"') WHERE id = ?",
        (altered,),
    )
    ran = kolm("capture", "check", "--json")
    assert ran.code == 4
    assert ran.json["missing"] == [paths[0].name]
    assert ran.json["changed"] == [paths[1].name]
    assert ran.json["orphaned"] == [f"00/{'0' * 64}"]
    assert ran.json["altered"] == [altered]
    kolm("capture", "check", "--repair")
    assert not stray.exists()
    # The same image again puts the missing file back.
    put(store, "a", 1)
    assert paths[0].is_file()
