"""The three checks, each on what it has to catch."""

from __future__ import annotations

from kolm_cli.parity.checks import (
    Probed,
    not_the_base,
    same_pictures,
    same_template,
)
from kolm_cli.parity.client import Reply
from kolm_cli.parity.prompts import Expected, Probe
from kolm_cli.parity.replay import Served
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.row import Row

BUNDLE = {"1": "a", "2": "b", "3": "c", "4": "d"}
BASE = {"1": "a", "2": "x", "3": "y", "4": None}


def probe(*tokens: int, text: str = "t") -> Probe:
    return Probe(Row("row", Conversation.of("?", "")), text, tokens)


def test_answers_of_the_base_are_told_from_those_of_the_bundle() -> None:
    assert not_the_base(BUNDLE, BUNDLE, BASE).ok is True
    found = not_the_base(BASE, BUNDLE, BASE)
    assert found.ok is False
    assert "0 are as the bundle's and 3 as the base's: the adapter is not loaded" in found.detail
    # Half of the adapter is no base; the agreement says that it is not the whole either.
    assert not_the_base({**BUNDLE, "2": "z"}, BUNDLE, BASE).ok is True
    assert not_the_base(BUNDLE, BUNDLE, BUNDLE).ok is None
    part = {"2": "b"}
    assert not_the_base(part, BUNDLE, BASE).ok is True


def test_a_template_is_compared_as_well_as_the_server_tells() -> None:
    mine = probe(1, 2, 3)
    assert same_template([Probed(mine, tokens=[1, 2, 3], count=9)]).ok is True
    other = same_template([Probed(mine, tokens=[1, 2, 4])])
    assert other.ok is False
    assert "row is rendered differently, compared token by token: 3 tokens, not 3" in other.detail
    assert same_template([Probed(mine, text="t", count=9)]).ok is True
    assert same_template([Probed(mine, text="u")]).ok is False
    assert same_template([Probed(mine, count=3)]).ok is True
    assert same_template([Probed(mine, count=3), Probed(mine, count=4)]).ok is False
    assert same_template([Probed(mine)]).ok is None
    assert same_template([]).ok is None


def served(*counts: int | None) -> list[Served]:
    return [Served(Reply("a", count)) for count in counts]


def test_the_tokens_of_pictures() -> None:
    wanted = [Expected(40, 25), Expected(50, 35), Expected(12, 0), Expected(None, 9)]
    assert same_pictures(served(40, 50, 99, 7), wanted, []).ok is True
    found = same_pictures(served(40, 61, 12, 7), wanted, [])
    assert found.ok is False
    assert "1 of 2 prompts with pictures have another length, 1 of them 11 tokens more" in (
        found.detail
    )
    assert same_pictures(served(None, None, None, None), wanted, []).ok is None
    assert same_pictures(served(12), [Expected(12, 0)], []).ok is None
    assert same_pictures(served(12), [], []).ok is None
    assert same_pictures([Served(None, "broken")], [Expected(40, 25)], []).ok is None


def test_what_the_template_adds_is_not_the_pictures() -> None:
    wanted, mine = [Expected(40, 25), Expected(50, 35)], probe(1, 2, 3)
    template = [Probed(mine, count=8)]
    assert same_template(template).ok is False
    assert same_pictures(served(45, 55), wanted, template).ok is True
    assert same_pictures(served(45, 50), wanted, template).ok is False
