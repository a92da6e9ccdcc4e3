"""What a plan says of its rows, and a micro-batch of each kind of step that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kolm_cli.core.errors import InputError
from kolm_cli.core.progress import Progress
from kolm_cli.pipeline.plan_inputs import PlannedRows
from kolm_cli.records.row import Row

if TYPE_CHECKING:
    from kolm_cli.encoding.encoder import Encoder
    from kolm_cli.encoding.row_facts import RowFacts

# Rows whose tokens are counted, unless all are asked for: enough for a steady p95.
LOOKED_AT = 256
LARGEST, MIDDLING = "the largest step", "a middling step"
SMALLEST_PICTURES, TEXT = "a step of the smallest pictures", "a step of text"


@dataclass(frozen=True)
class StepKinds:
    """The kinds of steps that rows make.

    Attributes:
        said: what the plan says of the rows.
        batches: the rows of a micro-batch, by the kind's name.
        facts: what was counted of a row, by its id.
    """

    said: Mapping[str, Any]
    batches: Mapping[str, Sequence[Row]]
    facts: Mapping[str, RowFacts]

    def tokens(self, kind: str) -> int:
        """The tokens of a micro-batch, padding included."""
        rows = self.batches[kind]
        return len(rows) * max(self.facts[row.id].tokens for row in rows)


def step_kinds(
    rows: PlannedRows, encoder: Encoder, size: int, *, every_row: bool, progress: Progress
) -> StepKinds:
    """Count the rows' tokens, and pick rows for a micro-batch of each kind.

    Args:
        rows: the plan's rows.
        encoder: encodes them.
        size: rows in a micro-batch.
        every_row: look at all of them, not at some.
        progress: told of each row.

    Raises:
        InputError: none of them can be used.
    """
    from kolm_cli.encoding.row_checks import check_rows
    from kolm_cli.plan.row_tokens import RowTokens

    step = 1 if every_row else max(1, -(-len(rows.train) // LOOKED_AT))
    some = rows.train[::step]
    progress.stage("count tokens", len(some), "rows")
    checked = check_rows(encoder, some, progress=progress)
    hint = checked.hint(encoder) if checked.too_long else ""
    if not checked.rows:
        raise InputError(*checked.problems, hint=hint)
    if hint:
        progress.note(hint)
    refused = [(problem.where, problem.what) for problem in checked.problems]
    said = RowTokens(rows.count, checked.rows, refused).as_json(size)
    by_id = {row.id: row for row in some}
    return StepKinds(
        {**said, "hint": hint},
        {
            kind: [by_id[fact.id] for fact in facts]
            for kind, facts in _kinds(checked.rows, size).items()
        },
        {fact.id: fact for fact in checked.rows},
    )


def _kinds(facts: Sequence[RowFacts], size: int) -> dict[str, list[RowFacts]]:
    """So many rows of each kind, taken again where there are fewer."""

    def batch(some: Sequence[RowFacts], start: int = 0) -> list[RowFacts]:
        return [some[(start + i) % len(some)] for i in range(size)]

    order = sorted(facts, key=lambda fact: -fact.tokens)
    kinds = {LARGEST: batch(order), MIDDLING: batch(order, len(order) // 2)}
    seen = [fact for fact in order if fact.image_tokens]
    text = [fact for fact in order if not fact.image_tokens]
    if (seen and text) or len({fact.image_tokens for fact in seen}) > 1:
        if seen:
            small = sorted(seen, key=lambda fact: (fact.image_tokens, fact.tokens))
            kinds[SMALLEST_PICTURES] = batch(small)
        if text:
            kinds[TEXT] = batch(text)
    return kinds
