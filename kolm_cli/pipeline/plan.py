"""`kolm plan`: from a spec to what it needs of a graphics card, without one and without weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kolm_cli.core.progress import Progress, Silent
from kolm_cli.pipeline.inputs import threads_of
from kolm_cli.pipeline.plan_answers import answered_batches, evaluation
from kolm_cli.pipeline.plan_device import calibrated, device_here
from kolm_cli.pipeline.plan_inputs import (
    PlannedBase,
    PlannedRows,
    assume_rows,
    encoder_of,
    find_base,
    read_rows,
)
from kolm_cli.pipeline.plan_rows import LARGEST, MIDDLING, SMALLEST_PICTURES, TEXT, step_kinds
from kolm_cli.plan.cards import CARDS, Card, named
from kolm_cli.scoring.metrics.catalog import names as metric_names
from kolm_cli.spec.load import load_spec
from kolm_cli.spec.model import Spec

if TYPE_CHECKING:
    from kolm_cli.encoding.encoder import Encoder
    from kolm_cli.plan.assumed_rows import AssumedRows

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
    run = _Run(
        spec=spec,
        found=found,
        encoder=encoder,
        rows=rows,
        stated=stated,
        device="cpu" if on == "cpu" and not stated else "cuda",
        asked=device is not None,
        usd_per_hour=spec.evaluate.usd_per_hour if usd_per_hour is None else usd_per_hour,
        every_row=every_row,
        advise=advise,
        calibrate=calibrate,
        shown=shown,
    )
    with _threads(spec):
        return run.report()


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


@dataclass(frozen=True)
class _Run:
    """One plan.

    Attributes:
        spec: what is planned.
        found: its base.
        encoder: encodes its rows.
        rows: its rows.
        stated: the card that was named; None for what this machine has, or for none.
        device: whose work is counted.
        asked: whether it has to fit.
        usd_per_hour: what an hour of it costs; None where nobody said.
        every_row: count the tokens of every row, not of some.
        advise: try changes, and count an answer.
        calibrate: run a short real step where the device is here.
        shown: told of each stage.
    """

    spec: Spec
    found: PlannedBase
    encoder: Encoder
    rows: PlannedRows
    stated: Card | None
    device: Literal["cuda", "cpu"]
    asked: bool
    usd_per_hour: float | None
    every_row: bool
    advise: bool
    calibrate: bool
    shown: Progress

    def report(self) -> dict[str, Any]:
        """Everything."""
        from kolm_cli.pipeline.plan_report import (
            changed,
            kind_lines,
            memory,
            on_card,
            possible,
            smallest_card,
        )
        from kolm_cli.plan.advice import changes, checkpointing
        from kolm_cli.plan.fit import seconds
        from kolm_cli.plan.planned import Planned
        from kolm_cli.trainer.schedule import steps_of

        spec, train, shown = self.spec, self.spec.train, self.shown
        planned = Planned(self.found.config, self.encoder.family, self.encoder, self.device)
        here = None if self.stated else device_here(self.device, asked=self.asked)
        kinds = step_kinds(
            self.rows,
            self.encoder,
            train.per_device_train_batch_size,
            every_row=self.every_row,
            progress=shown,
        )
        steps = steps_of(self.rows.count, train, spec.launch.num_processes)
        answers = answered_batches(spec, self.rows, steps) if self.advise else 0
        counted = {}
        for name, batch in kinds.batches.items():
            shown.stage(f"count {name}")
            counted[name] = planned.step(train, batch)
        worst, usual = counted[LARGEST], counted[MIDDLING]
        shown.stage("count it with checkpointing turned over")
        turned = checkpointing(planned, train, kinds.batches[LARGEST])
        measured: dict[str, Any] | None = None
        if here is not None and here.source and self.calibrate:
            here, measured = calibrated(planned, train, kinds.batches[MIDDLING], here, shown)
        judge = self.stated or here or CARDS[JUDGE]
        cards = {} if self.device == "cpu" else dict(CARDS)
        cards |= {here.name: here} if here else {}
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
            "rows": kinds.said,
            "steps": steps,
            "largest": worst.as_json(),
            "usual": usual.as_json(),
            "small_picture": _json(counted.get(SMALLEST_PICTURES)),
            "text_only": _json(counted.get(TEXT)),
            "kinds": kind_lines(kinds, counted, judge, bf16=train.bf16),
            "memory": memory(
                {as_is: worst.peak, other: turned.counts.peak},
                planned.weights(train),
                judge,
                others=self.device == "cuda",
            ),
            "cards": [
                on_card(each, worst, usual, steps, self.usd_per_hour, spec)
                for each in cards.values()
            ],
            "answered_token": None,
            "card": judge.name if self.asked else None,
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
        work, sizes = planned.answered_token(train, kinds.batches[MIDDLING][0])
        report["answered_token"] = work.as_json()
        for line in report["cards"]:
            card = cards[line["card"]]
            if card.source:
                token = seconds(sizes, work.total, card, bf16=train.bf16).total
                longest = spec.evaluate.max_new_tokens
                line |= evaluation(line["hours"], answers, token, longest)
        shown.stage("try changes")
        tried = changes(planned, train, kinds.batches[LARGEST], has_bf16=possible(judge, bf16=True))
        for index, change in enumerate(tried):
            shown.advance(index + 1)
            report["advice"].append(changed(change, worst, judge, spec))
        return report


def _json(counts: Any) -> dict[str, Any] | None:
    return None if counts is None else counts.as_json()
