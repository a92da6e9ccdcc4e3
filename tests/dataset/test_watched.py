"""The rows of a pack that are asked while training."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from kolm_cli.dataset.watched import choose, unfit
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.images import BytesImage
from kolm_cli.records.row import Row
from kolm_cli.scoring.judging import Judging


def row(number: int, *, group: str = "", images: Sequence[str] = (), asked: str = "") -> Row:
    shown = tuple(images)
    return Row(
        f"eval.jsonl:{number}",
        Conversation.of(asked or f"{number}?", "yes", shown),
        {name: BytesImage(name.encode()) for name in shown},
        judging=Judging(group),
    )


def ids(rows: Sequence[Row]) -> list[str]:
    return [one.id for one in rows]


def test_the_choice_does_not_depend_on_the_order_of_the_file() -> None:
    pack = [row(n) for n in range(50)]
    chosen = choose(pack, 12, hold_out=True)
    assert len(chosen) == 12
    assert ids(chosen) == [i for i in ids(pack) if i in set(ids(chosen))]
    mixed = random.Random(7).sample(pack, len(pack))  # noqa: S311  # an order, no secret
    assert sorted(ids(choose(mixed, 12, hold_out=True))) == sorted(ids(chosen))
    # A smaller choice is a part of a larger one.
    assert set(ids(choose(pack, 5, hold_out=True))) < set(ids(chosen))


def test_each_group_gives_the_same_share() -> None:
    pack = [row(n, group="abc"[0 if n < 40 else 1 if n < 60 else 2]) for n in range(80)]
    counts = Counter(one.judging.group for one in choose(pack, 20, hold_out=True))
    assert counts == {"a": 10, "b": 5, "c": 5}


def test_of_each_group_something_is_scored() -> None:
    pack = [row(n, group="rare" if n == 0 else "") for n in range(10)]
    chosen = choose(pack, 9, hold_out=True)
    assert "eval.jsonl:0" not in ids(chosen)
    assert len(chosen) == 8
    assert len(choose(pack, 10, hold_out=False)) == 10


def test_rows_of_one_picture_stay_together() -> None:
    pack = [row(n, images=[f"picture {n // 3}"]) for n in range(30)]
    # These two join three pictures to one.
    pack += [row(30, images=["picture 0", "picture 1"]), row(31, images=["picture 1", "picture 2"])]
    for count in (3, 7, 20):
        chosen = choose(pack, count, hold_out=True)
        left = [one for one in pack if one not in chosen]
        assert 0 < len(chosen) <= count
        shown, scored = ({i for one in rows for i in one.images} for rows in (chosen, left))
        assert not shown & scored


def test_rows_without_a_picture_are_told_apart_by_their_prompts() -> None:
    pack = [row(n, asked=f"{n % 5}?") for n in range(20)]
    chosen = choose(pack, 9, hold_out=True)
    asked = {one.conversation.messages[0].text for one in chosen}
    assert (len(chosen), len(asked)) == (8, 2)


def test_what_cannot_be_chosen_is_refused() -> None:
    pack = [row(n, images=["one"]) for n in range(4)]
    where = "spec.yaml:9:7: evaluate.during.rows"
    for hold_out in (True, False):
        [problem] = unfit(pack, 5, [], where, hold_out=hold_out)
        assert problem.what == "the pack has 4 rows, not 5"
    [problem] = unfit(pack, 4, [], where, hold_out=True)
    assert problem.what.startswith("no row would be left")
    assert list(unfit(pack, 4, choose(pack, 4, hold_out=False), where, hold_out=False)) == []
    [problem] = unfit(pack, 2, choose(pack, 2, hold_out=True), where, hold_out=True)
    assert "rows that show one picture stay together" in problem.what
