"""SIGKILL at any point of a turn: what is in use stays whole, and the next turn ends the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.progress import Silent
from kolm_cli.loop.turn import roll_back
from tests.loop.scene import NAME, STEPS, killed_at, scene

CASES = [(step, after) for step in STEPS for after in (False, True)]


def case_id(case: Any) -> str:
    (_, name), after = case
    return f"{'after' if after else 'before'}-{name}"


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_a_turn_that_promotes(case: Any, tmp_path: Path) -> None:
    step, after = case
    with scene(tmp_path) as loop:
        loop.data("good")
        assert loop.turn().state == "promoted"
        old, new = loop.cid("good"), loop.cid("good again")
        loop.data("good again")
        died = killed_at(step, after=after, work=loop.turn)
        # A turn that promotes ends with `moved`, not `end`.
        assert died is (step[1] != "end")
        assert loop.live() in (old, new)
        outcome = loop.turn()
        assert outcome.state in ("promoted", "nothing new", "unchanged")
        assert loop.live() == outcome.in_use == new
        # Each promotion was told at least once, the last one last; nothing is left to do.
        told = [(event["event"], event["cid"]) for event in loop.told]
        assert told[0] == ("promoted", old)
        assert set(told[1:]) == {("promoted", new)}
        assert loop.turns().count("promoted") == 2
        assert loop.turn().state == "nothing new"
        assert roll_back(NAME, Silent()).in_use == loop.live() == old


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_a_turn_that_keeps(case: Any, tmp_path: Path) -> None:
    step, after = case
    with scene(tmp_path) as loop:
        loop.data("good")
        loop.turn()
        loop.data("bad")
        killed_at(step, after=after, work=loop.turn)
        assert loop.live() == loop.cid("good")
        assert loop.turn().state in ("kept", "nothing new")
        assert loop.live() == loop.cid("good")
        assert [state for state in loop.turns() if state != "interrupted"] == ["promoted", "kept"]
        assert len(loop.told) == 1


ROLLBACK = [case for case in CASES if case[0][1] in ("plan", "tag", "moved", "_run", "tried")]


@pytest.mark.parametrize("case", ROLLBACK, ids=case_id)
def test_a_rollback(case: Any, tmp_path: Path) -> None:
    step, after = case
    with scene(tmp_path) as loop:
        for data in ("good", "good again"):
            loop.data(data)
            loop.turn()
        old, new = loop.cid("good"), loop.cid("good again")
        assert killed_at(step, after=after, work=lambda: roll_back(NAME, Silent()))
        assert loop.live() in (old, new)
        # Whoever comes next ends it: here the next turn, which has nothing of its own to do.
        decided = (step[1], after) != ("plan", False)
        loop.turn()
        assert loop.live() == (old if decided else new)
        assert loop.told[-1]["cid"] == (old if decided else new)
