"""What the worker evaluates while it trains: the loss of rows, and greedy answers to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from torch import nn

from kolm_cli.answering.answerer import Answerer
from kolm_cli.encoding.collate import to_device
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.encoding.refusals import naming
from kolm_cli.records.row import Row
from kolm_cli.run.orders import Orders
from kolm_cli.run.reload_check import aligned
from kolm_cli.scoring.judging import metric_json
from kolm_cli.scoring.metrics.base import ChosenMetric
from kolm_cli.scoring.metrics.catalog import choose
from kolm_cli.scoring.score import score_rows
from kolm_cli.trainer.devices import Determinism
from kolm_cli.trainer.distributed import true_in_any
from kolm_cli.trainer.during import During, Figures
from kolm_cli.trainer.encoded_rows import EncodedRows
from kolm_cli.trainer.loss import supervised_loss

# Rows are encoded once as far as they fit: with their answers, and as prompts.
CACHE_BYTES = 1 << 28


def during_of(
    orders: Orders,
    rows: Sequence[Row],
    encoder: Encoder,
    state: PartialState,
    determinism: Determinism,
    *,
    bf16: bool,
    should_stop: Callable[[], bool],
    note: Callable[[str], None],
) -> During:
    """What is ordered.

    Args:
        orders: the worker's, with `during`.
        rows: what is asked.
        encoder: encodes as training does.
        state: this process, among others.
        determinism: of these evaluations.
        bf16: whether training computes in bf16.
        should_stop: whether the run was told to stop.
        note: told which operation has no deterministic form.
    """
    if orders.during is None:
        raise ValueError("nothing is ordered to be evaluated while training")
    metric = choose(orders.during["metric"], orders.during["metric_options"])
    evaluator = Evaluator(
        rows=rows,
        metric=metric,
        encoder=encoder,
        bf16=bf16,
        max_new_tokens=orders.max_new_tokens,
        batch_size=orders.batch_size,
        state=state,
        determinism=determinism,
        should_stop=should_stop,
        note=note,
    )
    decides = {
        "metric": metric_json(metric),
        "max_new_tokens": orders.max_new_tokens,
        "batch_size": orders.batch_size,
    }
    return During(orders.during["options"], decides, rows, evaluator)


@dataclass
class Evaluator:
    """Evaluates a model that is being trained, each process its share of the rows.

    Attributes:
        rows: what is asked.
        metric: scores the answers.
        encoder: encodes as training does.
        bf16: whether training computes in bf16.
        max_new_tokens: where an answer is cut.
        batch_size: rows at a time.
        state: this process, among others.
        determinism: asked of each evaluation; what training needs is its own.
        should_stop: whether the run was told to stop.
        note: told which operation has no deterministic form.
    """

    rows: Sequence[Row]
    metric: ChosenMetric
    encoder: Encoder
    bf16: bool
    max_new_tokens: int
    batch_size: int
    state: PartialState
    determinism: Determinism
    should_stop: Callable[[], bool]
    note: Callable[[str], None]

    @cached_property
    def _mine(self) -> list[Row]:
        return list(self.rows[self.state.process_index :: self.state.num_processes])

    @cached_property
    def _learned(self) -> EncodedRows:
        return EncodedRows(self._mine, self.encoder.training, cache_bytes=CACHE_BYTES)

    @cached_property
    def _asked(self) -> EncodedRows:
        return EncodedRows(self._mine, self.encoder.prompt, cache_bytes=CACHE_BYTES)

    def __call__(self, model: nn.Module, tell: Callable[[int], None]) -> Figures | None:
        """Loss and accuracy of all rows; None when any process was told to stop."""
        answerer = Answerer(
            model,
            self.encoder,
            device=str(self.state.device),
            bf16=self.bf16,
            max_new_tokens=self.max_new_tokens,
        )

        def evaluate() -> list[tuple[float, int, list[str | None]]]:
            done, found = 0, []
            for batch in self._batches():
                if self.should_stop():
                    break
                found.append((*self._loss(answerer, batch), self._said(answerer, batch)))
                done += len(batch)
                tell(done)
            return found

        # A resumed run came by the weights in another way, and has to find the same.
        with aligned(p for p in model.parameters() if p.requires_grad):
            mine = self.determinism.run(evaluate, self.note)
        # All or none go on: each waits for the others.
        if true_in_any(self.should_stop(), self.state.device):
            return None
        answers = [said for *_, texts in mine for said in texts]
        pairs = [(row.id, said) for row, said in zip(self._mine, answers, strict=True)]
        sums = [(total, count) for total, count, _ in mine]
        if self.state.num_processes > 1:
            pairs, sums = gather_object(pairs), gather_object(sums)
        scored = score_rows(self.metric, self.rows, dict(pairs))
        tokens = sum(count for _, count in sums)
        return Figures(sum(total for total, _ in sums) / max(1, tokens), scored.accuracy)

    def _batches(self) -> Iterator[range]:
        for start in range(0, len(self._mine), self.batch_size):
            yield range(start, min(start + self.batch_size, len(self._mine)))

    @torch.no_grad()
    def _loss(self, answerer: Answerer, places: range) -> tuple[float, int]:
        """The sum over the supervised tokens of some rows, and how many those are."""
        rows = [self._learned[place] for place in places]
        batch = to_device(self.encoder.training_batch(rows), answerer.device)
        labels = batch.pop("labels")
        with answerer.precision(), naming([row.row for row in rows]):
            outputs = answerer.model(**batch)
        return float(supervised_loss(outputs, labels, 1)), sum(row.supervised for row in rows)

    def _said(self, answerer: Answerer, places: range) -> list[str | None]:
        return [answer.text for answer in answerer.answer([self._asked[p] for p in places])]
