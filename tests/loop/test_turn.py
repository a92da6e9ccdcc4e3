"""A turn: what is new is compiled, what meets the gate is promoted, the rest is said."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from kolm_cli.core.errors import InputError, LackingError
from kolm_cli.core.progress import Silent
from kolm_cli.loop.place import Place
from kolm_cli.loop.status import status_of
from kolm_cli.loop.turn import roll_back
from kolm_cli.registry.collect import collect
from kolm_cli.registry.store import Registry
from tests.loop.scene import NAME, Scene, scene
from tests.support.command import kolm


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as made:
        yield made


def test_new_data_is_compiled_once(loop: Scene) -> None:
    loop.data("good")
    first = loop.turn()
    assert (first.state, first.in_use, first.result["gate_passed"]) == (
        "promoted",
        loop.cid("good"),
        True,
    )
    assert [loop.turn().state, loop.compiles] == ["nothing new", 1]


def test_a_gate_that_is_not_met_keeps_the_old_one_and_says_why(loop: Scene) -> None:
    loop.data("good")
    loop.turn()
    loop.data("bad")
    outcome = loop.turn(on_keep=("sh -c 'echo $KOLM_LOOP_WHY > why'",))
    assert outcome.state == "kept"
    assert "accuracy 0.1000 is below the gate's 0.9" in outcome.why
    assert loop.live() == loop.cid("good")
    # And it is not tried again and again over the same data.
    assert loop.turn().state == "nothing new"
    Path("why").unlink()


def test_a_command_is_asked_before_the_tag_moves(loop: Scene) -> None:
    """Such as `kolm parity`, which ends with 3 when a server answers otherwise."""
    loop.data("good")
    asked = "sh -c 'echo $KOLM_LOOP_CID $KOLM_LOOP_EVENT >> asked; cat says; exit $(cat code)'"
    Path("says").write_text("agreement 0.9 is below 1")
    Path("code").write_text("5")
    for _ in range(2):  # it could not say: the same result is asked about again
        with pytest.raises(LackingError, match="ended with 5: agreement"):
            loop.turn(before_promote=(asked,))
    Path("code").write_text("3")
    kept = loop.turn(before_promote=(asked,))
    assert (kept.state, kept.refused, loop.live()) == ("kept", True, "")
    assert kept.why.endswith("it ended with 3: agreement 0.9 is below 1")
    assert loop.turn(before_promote=(asked,)).state == "nothing new"
    assert Path("asked").read_text() == f"{loop.cid('good')} compiled\n" * 3
    # What missed its gate is not asked about; what is agreed to is promoted.
    loop.data("bad")
    assert loop.turn(before_promote=(asked,)).refused
    Path("code").write_text("0")
    loop.data("good again")
    assert loop.turn(before_promote=(asked, "true")).state == "promoted"
    assert Path("asked").read_text().count("\n") == 4
    for name in ("asked", "says", "code"):
        Path(name).unlink()
    assert status_of(NAME).turns[-1].state == "failed"


def test_a_failure_is_kept_in_the_journal_and_tried_again(loop: Scene) -> None:
    loop.data("good")
    loop.turn()
    loop.data("broken")
    for _ in range(2):
        with pytest.raises(InputError, match="a row is broken"):
            loop.turn()
    assert loop.turns() == ["promoted", "failed", "failed"]
    assert status_of(NAME).turns[0].why == "data:1: a row is broken"
    assert loop.live() == loop.cid("good")


def test_a_hook_that_fails_is_owed_until_it_is_heard(loop: Scene, tmp_path: Path) -> None:
    loop.data("good")
    failing = f"test -e {tmp_path / 'up'}"
    outcome = loop.turn(on_promote=(failing,))
    assert outcome.state == "promoted"
    assert outcome.failed_hooks == [f"{failing}: it ended with 1"]
    assert status_of(NAME).owed == [f"{failing}: it ended with 1"]
    (tmp_path / "up").touch()
    assert loop.turn().failed_hooks == []
    assert status_of(NAME).owed == []


def test_one_turn_at_a_time(loop: Scene) -> None:
    loop.data("good")
    with Place.of(NAME).turn_lock():
        with pytest.raises(LackingError, match="another turn of this loop is running"):
            loop.turn()
        loop.patch.undo()
    assert Registry().entries() == []


def test_going_back_and_forth(loop: Scene) -> None:
    names = ["good", "good b", "good cc"]
    for name in names:
        loop.data(name)
        loop.turn()
    cids = [loop.cid(name) for name in names]
    # `gc --untagged` leaves the way back.
    collect(Registry(), untagged=True, dry_run=False)
    assert roll_back(NAME, Silent()).in_use == loop.live() == cids[1]
    assert loop.told[-1] == {"event": "rolled-back", "cid": cids[1]}
    # The data is the same, so that nothing brings the bad one back.
    assert loop.turn().state == "nothing new"
    loop.data("good again")
    loop.turn()
    loop.data("good cc")
    outcome = loop.turn()
    assert (outcome.state, outcome.why) == ("kept", "this very bundle was rolled back before")
    assert roll_back(NAME, Silent()).in_use == cids[1]
    assert roll_back(NAME, Silent()).in_use == cids[0]
    with pytest.raises(InputError, match="there is no earlier promotion"):
        roll_back(NAME, Silent())
    assert loop.live() == cids[0]


def test_old_promotions_are_let_go(loop: Scene) -> None:
    for name in ("good", "good b", "good cc", "good ddd"):
        loop.data(name)
        loop.turn(keep=2)
    tags = [entry.tag for entry in Registry().entries() if entry.tag]
    assert tags == [f"{NAME}:live", f"{NAME}:live-3", f"{NAME}:live-4"]


def test_what_is_wrong_with_the_wishes_is_said_at_once(loop: Scene) -> None:
    loop.data("good")
    with pytest.raises(InputError) as error:
        loop.turn(on_promote=("'",), webhooks=("ftp://x", "http://"), tag="a b")
    assert len(error.value.problems) == 4
    assert loop.compiles == 0


def test_the_commands_say_how_it_stands(loop: Scene) -> None:
    assert "There is no loop yet" in kolm("loop", "status").err
    loop.data("good")
    loop.turn()
    loop.data("bad")
    loop.turn()
    assert loop.cid("good") in kolm("loop", "status").out
    told = kolm("loop", "status", NAME).out
    assert "gate not met: accuracy 0.1000 is below the gate's 0.9" in told
    assert [turn["state"] for turn in kolm("loop", "status", NAME, "--json").json["turns"]] == [
        "kept",
        "promoted",
    ]
    done = kolm("rollback", NAME)
    assert done.code == 2
    assert "there is no earlier promotion" in done.err
    assert "write one of chart-qa" in kolm("rollback", "other").err
    assert kolm("loop", "x.yaml").code == 2


def test_a_damaged_journal_is_said(loop: Scene) -> None:
    loop.data("good")
    loop.turn()
    file = Place.of(NAME).folder / "journal.sqlite"
    for change in (
        "UPDATE settings SET content = 'null'",
        'UPDATE settings SET content = \'{"keep": "x"}\'',
        "UPDATE settings SET content = printf('%.*c', 100000, '[')",
        "UPDATE turns SET result = '{}'",
        "UPDATE turns SET result = '[1]'",
        "UPDATE turns SET why = x'ff'",
        "INSERT INTO hooks (kind, target, event) VALUES ('command', 'true', 'no JSON')",
        "",
    ):
        good = file.read_bytes()
        if change:
            with contextlib.closing(sqlite3.connect(file)) as journal, journal:
                journal.execute(change)
        else:
            file.write_bytes(b"no database" * 1000)
        done = kolm("loop", "status", NAME)
        assert done.code == 4, change
        assert "the journal is damaged" in done.err
        file.write_bytes(good)
