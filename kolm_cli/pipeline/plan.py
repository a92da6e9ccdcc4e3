"""`kolm plan`: from a spec to what it needs of a graphics card, without one and without weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kolm_cli.core.errors import InputError, LackingError, Problem
from kolm_cli.core.progress import Progress, Silent
from kolm_cli.pipeline.inputs import threads_of
from kolm_cli.pipeline.plan_inputs import (
    PlannedBase,
    PlannedRows,
    assume_rows,
    encoder_of,
    find_base,
    read_rows,
)
from kolm_cli.plan.cards import CARDS, Card, named
from kolm_cli.records.row import Row
from kolm_cli.scoring.course import evaluated_steps
from kolm_cli.scoring.metrics.catalog import names as metric_names
from kolm_cli.spec.load import load_spec
from kolm_cli.spec.model import Spec

if TYPE_CHECKING:
    from kolm_cli.encoding.encoder import Encoder
    from kolm_cli.encoding.row_facts import RowFacts
    from kolm_cli.plan.assumed_rows import AssumedRows
    from kolm_cli.plan.planned import Planned

# Rows whose tokens are counted, unless all are asked for: enough for a steady p95.
LOOKED_AT = 256
# Which card a change is judged on when none is named.
JUDGE = "a100-80gb"
# Where `--rows` says what the rows are, the spec's own need not be there.
_NO_DATA = ("data.train=capture:assumed", "data.eval=capture:assumed-eval")


def plan_spec(
    path: Path,
    *,
    device: str | None = None,
    usd_per_hour: float | None = None,
    every_row: bool = False,
    advise: bool = True,
    calibrate: bool = True,
    assumed: AssumedRows | None = None,
    settings: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Plan a run.

    Args:
        path: the spec file.
        device: the card to judge for; `here`, `cuda` or `cpu` for what this machine has. All
            known cards are listed anyway, beside what this machine has.
        usd_per_hour: what an hour of it costs; the spec's `evaluate.usd_per_hour` when None.
        every_row: count the tokens of every row, not of some.
        advise: try changes, each of which is counted again.
        calibrate: run a short real step where the device is here.
        assumed: rows that are assumed, instead of the spec's own.
        settings: `key=value` for each option that is another than in the file.
        progress: told of each stage.

    Raises:
        InputError: the spec or its data is wrong, no row can be used, or no card has that name.
        LackingError: the base or the device is not on this machine, and nothing is known of it.
    """
    shown = progress or Silent()
    shown.stage("read spec")
    stated = None if device in (None, "here", "cuda", "cpu") else named(str(device))
    loaded = load_spec(
        path, metrics=metric_names(), settings=[*settings, *(_NO_DATA if assumed else ())]
    )
    spec, found = loaded.spec, find_base(loaded)
    rows = None if assumed else read_rows(loaded)
    shown.stage("load processor")
    encoder = encoder_of(spec, found)
    if rows is None and assumed is not None:
        rows = assume_rows(assumed, encoder, spec.evaluate.max_new_tokens)
    if rows is None:
        raise AssertionError("a plan without rows")
    on = spec.launch.device if device in (None, "here") else device
    run = _Run(spec, found, encoder, rows, usd_per_hour, every_row, advise, calibrate, shown)
    with _threads(spec):
        return run.report(
            stated, "cpu" if on == "cpu" and not stated else "cuda", asked=device is not None
        )


@contextlib.contextmanager
def _threads(spec: Spec) -> Iterator[None]:
    """As many of torch's threads as a process of the run will have."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads_of(spec))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Run:
    """One plan."""

    def __init__(
        self,
        spec: Spec,
        found: PlannedBase,
        encoder: Encoder,
        rows: PlannedRows,
        usd_per_hour: float | None,
        every_row: bool,
        advise: bool,
        calibrate: bool,
        shown: Progress,
    ) -> None:
        self.spec, self.found, self.encoder, self.rows = spec, found, encoder, rows
        self.usd = spec.evaluate.usd_per_hour if usd_per_hour is None else usd_per_hour
        self.every_row, self.advise, self.calibrate = every_row, advise, calibrate
        self.shown = shown

    def report(
        self, stated: Card | None, device: Literal["cuda", "cpu"], *, asked: bool
    ) -> dict[str, Any]:
        """Everything.

        Args:
            stated: the card that was named; None for what this machine has, or for none.
            device: whose work is counted.
            asked: whether it has to fit.
        """
        from kolm_cli.pipeline.plan_report import (
            changed,
            memory,
            on_card,
            possible,
            smallest_card,
        )
        from kolm_cli.plan.advice import changes, checkpointing
        from kolm_cli.plan.fit import seconds, step_seconds
        from kolm_cli.plan.planned import Planned
        from kolm_cli.trainer.schedule import steps_of

        spec, train, shown = self.spec, self.spec.train, self.shown
        planned = Planned(self.found.config, self.encoder.family, self.encoder, device)
        here = self._here(device, stated, asked=asked)
        tokens, batches = self._batches()
        counted = {}
        for name, batch in batches.items():
            shown.stage(f"count {name}")
            counted[name] = planned.step(train, batch)
        worst, usual = counted["the largest step"], counted["a middling step"]
        shown.stage("count it with checkpointing turned over")
        turned = checkpointing(planned, train, batches["the largest step"])
        measured: dict[str, Any] | None = None
        if here is not None:
            here, measured = self._calibrated(planned, batches["a middling step"], here, device)
        judge = stated or here or CARDS[JUDGE]
        cards = {} if device == "cpu" else dict(CARDS)
        cards |= {here.name: here} if here else {}
        steps = steps_of(self.rows.count, train, spec.launch.num_processes)
        as_is, other = "with checkpointing", "without checkpointing"
        if not train.gradient_checkpointing:
            as_is, other = other, as_is
        report: dict[str, Any] = {
            "name": spec.name,
            "base": {
                "model": self.found.name,
                "family": planned.family.name,
                "source": "files" if self.found.base else "published numbers",
                "sources": list(self.found.published.sources) if self.found.published else [],
            },
            "assumed_rows": self.rows.assumed.as_json(self.encoder) if self.rows.assumed else None,
            "rows": tokens,
            "steps": steps,
            "largest": worst.as_json(),
            "usual": usual.as_json(),
            "small_picture": _json(counted.get("a step of the smallest pictures")),
            "text_only": _json(counted.get("a step of text")),
            "kinds": [
                {
                    "what": name,
                    "tokens": self._tokens(batches[name]),
                    "live": each.peak.bytes,
                    "kernels": each.step.total.kernels,
                    "seconds_a_step": (
                        round(step_seconds(each, judge, bf16=train.bf16), 3)
                        if judge.source
                        else None
                    ),
                }
                for name, each in counted.items()
                # Rows that are all alike make one kind of step.
                if each is not worst or name == "the largest step"
            ],
            "memory": memory(
                {as_is: worst.peak, other: turned.counts.peak},
                planned.weights(train),
                judge,
                others=device == "cuda",
            ),
            "cards": [
                on_card(each, worst, usual, steps, self.usd, spec) for each in cards.values()
            ],
            "answered_token": None,
            "card": judge.name if asked else None,
            "judged_on": judge.name,
            "here": here.name if here else None,
            "calibration": measured,
            "assumed": asdict(judge.given),
            "smallest_card": smallest_card(worst.peak.bytes, bf16=train.bf16),
            "advice": [],
        }
        if not self.advise:
            return report
        shown.stage("count an answered token")
        work, sizes = planned.answered_token(train, batches["a middling step"][0])
        report["answered_token"] = work.as_json()
        for line in report["cards"]:
            card = cards[line["card"]]
            if card.source:
                token = seconds(sizes, work.total, card, bf16=train.bf16).total
                self._add_evaluation(line, token, steps)
        shown.stage("try changes")
        tried = changes(
            planned, train, batches["the largest step"], has_bf16=possible(judge, bf16=True)
        )
        for index, change in enumerate(tried):
            shown.advance(index + 1)
            report["advice"].append(changed(change, worst, judge, spec))
        return report

    def _here(self, device: str, stated: Card | None, *, asked: bool) -> Card | None:
        """What this machine has, where it is asked for or of use."""
        if stated is not None:
            return None
        import torch

        from kolm_cli.plan.card_here import card_here, processor_here

        if device == "cpu":
            return processor_here()
        if torch.cuda.is_available():
            return card_here()
        if asked:
            raise LackingError(
                Problem(
                    "there is no GPU here: no CUDA device is available",
                    where="--device",
                    fix=f"name a card: {', '.join(CARDS)}",
                )
            )
        return None

    def _calibrated(
        self, planned: Planned, batch: Sequence[Row], here: Card, device: Literal["cuda", "cpu"]
    ) -> tuple[Card, dict[str, Any] | None]:
        """The card with times as measured, and what was measured."""
        from kolm_cli.plan.calibrate import NotCalibratedError, calibrate
        from kolm_cli.plan.card_here import free_memory

        if not (self.calibrate and here.source):
            return here, None
        self.shown.stage("run a short real step")
        try:
            found = calibrate(planned, self.spec.train, batch, here, free_memory(device))
        except NotCalibratedError as error:
            self.shown.note(f"not calibrated: {error}")
            return here, {"failed": str(error)}
        return found.applied(here), found.as_json()

    def _batches(self) -> tuple[dict[str, Any], dict[str, list[Row]]]:
        """What is known of the rows, and a micro-batch of each kind."""
        from kolm_cli.encoding.row_checks import check_rows
        from kolm_cli.plan.row_tokens import RowTokens

        rows = self.rows.train
        step = 1 if self.every_row else max(1, -(-len(rows) // LOOKED_AT))
        some = rows[::step]
        self.shown.stage("count tokens", len(some), "rows")
        checked = check_rows(self.encoder, some, progress=self.shown)
        hint = checked.hint(self.encoder) if checked.too_long else ""
        if not checked.rows:
            raise InputError(*checked.problems, hint=hint)
        if hint:
            self.shown.note(hint)
        refused = [(problem.where, problem.what) for problem in checked.problems]
        size = self.spec.train.per_device_train_batch_size
        found = RowTokens(self.rows.count, checked.rows, refused).as_json(size)
        by_id = {row.id: row for row in some}
        self._facts = {fact.id: fact for fact in checked.rows}
        order = sorted(checked.rows, key=lambda fact: -fact.tokens)
        middle = len(order) // 2

        def batch(facts: Sequence[RowFacts], start: int = 0) -> list[Row]:
            """So many rows of these, taken again where there are fewer."""
            return [by_id[facts[(start + i) % len(facts)].id] for i in range(size)]

        kinds = {"the largest step": batch(order), "a middling step": batch(order, middle)}
        seen = [fact for fact in order if fact.image_tokens]
        text = [fact for fact in order if not fact.image_tokens]
        if (seen and text) or len({fact.image_tokens for fact in seen}) > 1:
            if seen:
                small = sorted(seen, key=lambda fact: (fact.image_tokens, fact.tokens))
                kinds["a step of the smallest pictures"] = batch(small)
            if text:
                kinds["a step of text"] = batch(text)
        return {**found, "hint": hint}, kinds

    def _tokens(self, rows: Sequence[Row]) -> int:
        """The tokens of a micro-batch, padding included."""
        return len(rows) * max(self._facts[row.id].tokens for row in rows)

    def _add_evaluation(self, line: dict[str, Any], token: float, steps: int) -> None:
        """The time of the answers, if each is as long as it may be."""
        seconds = self._answered(steps) * self.spec.evaluate.max_new_tokens * token
        whole = seconds + 3600 * line["hours"]
        line["seconds_a_token"] = round(token, 6)
        line["evaluation_hours"] = round(seconds / 3600, 6)
        line["share_not_training"] = round(seconds / whole, 4)

    def _answered(self, steps: int) -> int:
        """Batches of answers: the base's, the adapter's, and those while it is trained.

        Raises:
            InputError: it cannot be evaluated so often in so many steps.
        """
        evaluate, rows = self.spec.evaluate, self.rows.asked
        during, asked = evaluate.during, [rows, rows]
        if during is not None:
            try:
                at = evaluated_steps(during.every, self.spec.train.num_train_epochs, steps)
            except ValueError as error:
                what = f"{during.every!r} {error}"
                raise InputError(Problem(what, "evaluate.during.every")) from error
            scored = rows - during.rows if during.rule.chooses else rows
            asked = [scored, scored, *[during.rows] * len(at)]
        return sum(-(-count // evaluate.batch_size) for count in asked)


def _json(counts: Any) -> dict[str, Any] | None:
    return None if counts is None else counts.as_json()
