"""The store: several writers, removal that removes, damage that is found, filters, splits."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kolm_cli.capture import schema
from kolm_cli.capture.filters import Filter
from kolm_cli.capture.split import Split
from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import InputError, LackingError
from kolm_cli.records.conversation import Conversation, Image, Message, Text
from tests.capture.helpers import Kolm, png, write_rows


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store.open() as opened:
        yield opened


def put(
    store: Store,
    text: str,
    *colours: int,
    namespace: str = "ns",
    response: str = "r",
    **more: object,
) -> int:
    images = {sha256_bytes(data): data for data in (png((c, c, c)) for c in colours)}
    conversation = Conversation.of(text, response, tuple(images))
    return store.add(namespace, conversation, images, source="test", **more).id  # type: ignore[arg-type]


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
        [sys.executable, "-c", WRITER, "0", "100000", str(Path(__file__).parent)]
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


def test_filters_by_time_model_tag_text_source_state_and_image(store: Store, kolm: Kolm) -> None:
    put(store, 'Say "Größe" twice', 1, captured=1_000, model="gpt", tags=("a", "b"))
    put(store, "role of the user", 2, captured=2_000_000_000_000, model="other", tags=("b",))

    def found(*arguments: str) -> list[str]:
        ran = kolm("capture", "ls", "ns", "--json", *arguments)
        assert ran.code == 0, ran.err
        return [pair["messages"][0]["content"][1]["text"][:4] for pair in ran.json]

    assert found() == ["role", "Say "]
    assert found("--limit", "1") == ["role"]
    assert found("--since", "1970-01-02") == ["role"]
    assert found("--until", "1970-01-02") == ["Say "]
    assert found("--model", "gpt") == ["Say "]
    assert found("--tag", "a") == ["Say "]
    assert found("--tag", "b") == ["role", "Say "]
    assert found("--text", 'SAY "GRÖSSE"') == ["Say "]
    # Words of the stored JSON that no message says do not match.
    assert found("--text", '"role"') == []
    assert found("--text", "role") == ["role"]
    assert found("--source", "test") == ["role", "Say "]
    assert found("--source", "tes") == []
    assert found("--review", "accepted") == []
    assert found("--image", sha256_bytes(png((2, 2, 2)))) == ["role"]
    bad = kolm("capture", "ls", "ns", "--since", "soon", "--review", "good", "--image", "nope")
    assert bad.code == 2
    assert bad.err.count("error:") == 3


def test_a_misspelt_namespace_is_named_with_the_likely_one(store: Store, kolm: Kolm) -> None:
    put(store, "a", 1, namespace="chart-qa")
    ran = kolm("capture", "ls", "chart-q")
    assert ran.code == 2
    assert "did you mean 'chart-qa'?" in ran.err


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


def test_a_split_parts_no_image_and_is_stable(store: Store) -> None:
    for i in range(200):
        put(store, f"first of {i}", i)
        put(store, f"second of {i}", i)
    parts = {
        p: list(store.pairs("ns", split=p)) for p in ("train", "eval", "train:0.5", "eval:0.5")
    }
    assert len(parts["train"]) + len(parts["eval"]) == 400
    assert 10 <= len(parts["eval"]) <= 80
    for one, other in (("train", "eval"), ("train:0.5", "eval:0.5")):
        images = [{i for p in parts[name] for i in p.conversation.images} for name in (one, other)]
        assert not images[0] & images[1]
    assert {p.digest for p in parts["train:0.5"]} <= {p.digest for p in parts["train"]}
    assert store.count("ns", split="eval") == len(parts["eval"])
    # What is on one side stays there when unrelated pairs arrive.
    put(store, "later", 250)
    later = {p.digest for p in store.pairs("ns", split="eval")}
    assert {p.digest for p in parts["eval"]} <= later


def test_images_that_a_pair_ties_together_stay_together(store: Store) -> None:
    for i in range(60):
        put(store, f"alone {i}", i)
    for i in range(0, 58, 2):
        put(store, f"tied {i}", i, i + 2)
    for share in ("0.5", "0.9"):
        train = list(store.pairs("ns", split=Split.parse(f"train:{share}")))
        held = {image for pair in train for image in pair.conversation.images}
        even = [sha256_bytes(png((i, i, i))) in held for i in range(0, 60, 2)]
        # A chain of pairs ties all even images together.
        assert all(even) or not any(even)
        rest = store.pairs("ns", split=Split.parse(f"eval:{1 - float(share):.1f}"))
        assert not held & {image for pair in rest for image in pair.conversation.images}


def test_pairs_without_images_split_by_their_question(store: Store) -> None:
    for i in range(100):
        put(store, f"question {i}", response="one")
        put(store, f"question {i}", response="two")
    train = {p.conversation.messages[0].text for p in store.pairs("ns", split="train:0.5")}
    held = {p.conversation.messages[0].text for p in store.pairs("ns", split="eval:0.5")}
    assert train
    assert held
    assert not train & held


@pytest.mark.parametrize("text", ["", "test", "train:", "train:0", "eval:1", "train:x", "eval:nan"])
def test_what_is_no_split_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a split"):
        Split.parse(text)


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


def test_near_duplicates_are_reported_not_removed(kolm: Kolm, tmp_path: Path) -> None:
    from PIL import Image as Picture
    from PIL import ImageDraw

    def draw(name: str, *boxes: tuple[int, int, int, int], scale: int = 1) -> None:
        picture = Picture.new("RGB", (128, 128), "white")
        for box in boxes:
            ImageDraw.Draw(picture).rectangle(box, fill="navy")
        picture.resize((128 * scale, 128 * scale)).save(tmp_path / name)

    draw("a.png", (10, 60, 30, 120), (50, 20, 70, 120))
    draw("a-large.png", (10, 60, 30, 120), (50, 20, 70, 120), scale=2)
    draw("b.png", (80, 5, 120, 30), (5, 5, 20, 30))
    rows = [
        {"image": "a.png", "prompt": "How tall is the first bar?", "response": "60"},
        {"image": "a.png", "prompt": "how tall is  the first bar", "response": "60"},
        {"image": "a.png", "prompt": "Which bar is the tallest?", "response": "2"},
        {"image": "a-large.png", "prompt": "Colour?", "response": "navy"},
        {"image": "b.png", "prompt": "How tall is the first bar?", "response": "25"},
    ]
    kolm("capture", "import", write_rows(tmp_path / "r.jsonl", rows), "--to", "ns")
    ran = kolm("capture", "stats", "ns", "--near", "--json")
    found = {(n["kind"], *sorted((n["first"], n["second"]))) for n in ran.json["near_duplicates"]}
    names = [sha256_bytes((tmp_path / f).read_bytes()) for f in ("a.png", "a-large.png")]
    assert found == {("image", *sorted(names)), ("prompt", "1", "2")}
    assert kolm("capture", "ls", "--json").json[0]["pairs"] == 5


def test_stats_count_what_is_there(store: Store, kolm: Kolm) -> None:
    put(store, "a", 1, model="m", tags=("t",))
    put(store, "b", 1, 2)
    put(store, "c")
    figures = kolm("capture", "stats", "ns", "--json").json
    assert figures["pairs"]["all"] == 3
    assert figures["pairs"]["without_image"] == 1
    assert figures["pairs"]["with_several_images"] == 1
    assert figures["images"]["all"] == 2
    assert figures["models"] == {"(none)": 2, "m": 1}
    assert figures["tags"] == {"t": 1}


def test_show_prints_the_pair_and_no_control_characters(store: Store, kolm: Kolm) -> None:
    number = put(store, "evil \x1b]0;title\x07 \x1b[2J", 1, response="fine\nsecond line")
    ran = kolm("capture", "show", number)
    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert "fine\nsecond line" in ran.out
    assert "\\x1b[2J" in ran.out
    assert json.loads(kolm("capture", "show", number, "--json").out)["id"] == number
    listed = kolm("capture", "ls", "ns")
    assert "\x1b" not in listed.out
    assert kolm("capture", "show", 99).code == 2


@pytest.mark.parametrize(
    ("environment", "mark"),
    [
        ({"TERM": "xterm-kitty"}, "\x1b_Ga=T,f=100"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "\x1b]1337;File=inline=1"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "\x1b[38;2;1;1;1;48;2;1;1;1m▀"),
        ({"TERM": "dumb"}, None),
    ],
)
def test_show_draws_the_picture_where_the_terminal_can(
    store: Store, home: Path, environment: dict[str, str], mark: str | None
) -> None:
    import pty

    number = put(store, "q", 1)
    front, back = pty.openpty()
    base = {
        k: v for k, v in os.environ.items() if k not in ("COLORTERM", "TERM_PROGRAM", "NO_COLOR")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "kolm_cli.cli.app", "capture", "show", str(number)],
        stdout=back,
        stderr=subprocess.PIPE,
        env={**base, "KOLM_HOME": str(home), **environment},
    )
    os.close(back)
    seen = b""
    while True:
        try:
            piece = os.read(front, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    assert process.wait(timeout=60) == 0
    text = seen.decode()
    assert "pair 1 in ns" in text
    if mark is None:
        assert "\x1b" not in text
    else:
        assert mark in text
