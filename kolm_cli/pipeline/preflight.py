"""The whole preflight: every row of both sets, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from kolm_cli.core.errors import InputError, KolmError, Problem, raise_if_any
from kolm_cli.core.home import kolm_home
from kolm_cli.core.memo import Memo
from kolm_cli.core.progress import Progress, Silent
from kolm_cli.core.together import Together
from kolm_cli.dataset.leakage import leaks, near_leaks
from kolm_cli.dataset.picture_book import PictureBook
from kolm_cli.dataset.sources import SourceRows
from kolm_cli.families.resolve import Base
from kolm_cli.pipeline import trackers
from kolm_cli.pipeline.doubts import doubts
from kolm_cli.pipeline.during import Watched, said_before, watched
from kolm_cli.pipeline.inputs import Inputs
from kolm_cli.pipeline.warm_start import check_parent
from kolm_cli.records.row import Row
from kolm_cli.scoring.metrics.base import ChosenMetric
from kolm_cli.scoring.metrics.catalog import choose

if TYPE_CHECKING:
    from kolm_cli.encoding.encoder import Encoder, Limits
    from kolm_cli.encoding.row_facts import RowFacts
    from kolm_cli.spec.model import EvaluateSection, Spec


# A verifier computes an interval for each, and a person reads them.
MAX_GROUPS = 200


@dataclass(frozen=True)
class Preflight:
    """Rows that passed, and what was counted.

    Attributes:
        train: the training rows.
        pack: the evaluation rows.
        facts: tokens of each training row.
        asked: tokens of each evaluation row.
        optimizer_steps: how many steps the run will take.
        doubts: why it will hardly learn.
        encoder: encodes rows as training will.
        watched: what of the pack is asked while training; None when nothing is.
    """

    train: SourceRows
    pack: SourceRows
    facts: list[RowFacts]
    asked: list[RowFacts]
    optimizer_steps: int
    doubts: list[str]
    encoder: Encoder
    watched: Watched | None = None

    @property
    def scored(self) -> Sequence[Row]:
        """The rows that decide the score: the pack without those that choose the weights."""
        return self.pack.rows if self.watched is None else self.watched.scored

    @property
    def scored_facts(self) -> list[RowFacts]:
        """Tokens of each of them."""
        names = {row.id for row in self.scored}
        return [fact for fact in self.asked if fact.id in names]


def require_device(inputs: Inputs) -> None:
    """Look for the device before the rows are checked, which can take minutes.

    Raises:
        LackingError: the device, or what the attention implementation needs, is not there.
        InputError: the attention implementation needs another device.
    """
    from kolm_cli.trainer.base_model import check_attention
    from kolm_cli.trainer.devices import check_gpus, pick_device

    spec = inputs.spec
    trackers.require(spec.train.report_to)
    device = pick_device(spec.launch.device)
    check_attention(spec.train.attention, device)
    if device == "cuda":
        check_gpus(spec.launch.num_processes, bf16=spec.train.bf16)


def preflight(inputs: Inputs, progress: Progress) -> Preflight:
    """Check everything that can be checked without training and without the device.

    What makes success unlikely is noted, and no error.

    Raises:
        InputError: every bad row of both sets, by name; or the bundle to start from does not fit.
        VerificationError: that bundle is not intact, or its signer is not trusted.
    """
    import torch

    from kolm_cli.encoding.row_checks import Findings, check_rows, note_long_answers
    from kolm_cli.trainer.run_checks import unlearnable
    from kolm_cli.trainer.schedule import steps_of

    spec, loaded, family = inputs.spec, inputs.loaded, inputs.base.family
    together = Together()
    parents = together.run(check_parent, inputs, progress) or frozenset()
    progress.stage("read data")
    train, pack = inputs.train.rows(), inputs.pack.rows()
    for note in dict.fromkeys((*train.notes, *pack.notes)):
        progress.note(note)
    torch.set_num_threads(inputs.threads)
    progress.stage("load processor")
    encoder = together.run(load_encoder, inputs)
    trained, asked, with_loss = Findings(), Findings(), Findings()
    steps = steps_of(len(train.rows), spec.train, spec.launch.num_processes)
    with Memo(kolm_home() / "preflight.sqlite") as memo:
        book = PictureBook(memo)
        if encoder is not None:
            progress.stage("check training rows", len(train.rows), "rows")
            trained = check_rows(encoder, train.rows, progress=progress, book=book, memo=memo)
            progress.stage("check evaluation rows", len(pack.rows), "rows")
            asked = check_rows(
                encoder, pack.rows, progress=progress, prompts_only=True, book=book, memo=memo
            )
            note_long_answers(encoder, pack.rows, spec.evaluate.max_new_tokens, progress)
        watch = None
        if train.rows and pack.rows:
            watch = watched(spec, pack.rows, steps, book, loaded.position)
        if watch is not None and encoder is not None:
            # They are asked while training, and each has a loss then.
            with_loss = check_rows(encoder, watch.rows, progress=Silent(), book=book, memo=memo)
    problems = [*train.problems, *trained.problems, *pack.problems, *asked.problems]
    if encoder is not None:  # else nothing is known of the pictures
        problems += leaks(train.rows, pack.rows, book)
    if not problems and not together and (warning := near_leaks(train.rows, pack.rows, book)):
        progress.note(warning)
    problems += _repeated(train.rows, "training")
    problems += pack_problems(pack.rows, metric_of(spec.evaluate))
    scored = pack.rows
    if watch is not None:
        scored, problems = list(watch.scored), [*problems, *watch.problems]
        said = {problem.where for problem in problems}
        problems += [
            replace(found, what=f"{found.what}, and evaluate.during computes its loss")
            for found in with_loss.problems
            if found.where not in said
        ]
    problems += group_problems(spec.evaluate, scored, loaded.position("evaluate.gate"))
    problems += unlearnable(
        train.rows, spec.train, family, loaded.position("train"), spec.launch.num_processes
    )
    trained.too_long += asked.too_long + with_loss.too_long
    hint = trained.hint(encoder) if encoder is not None else ""
    together.run(partial(raise_if_any, hint=hint), problems)
    together.finish()
    if encoder is None:
        raise AssertionError("what failed was raised")
    if watch is not None:
        progress.note(said_before(watch))
    doubted = doubts(inputs, train.rows, pack.rows, steps)
    if seen := sum(row.digest in parents for row in scored):
        doubted.append(
            f"{seen} of {len(scored)} scored rows chose the weights of the bundle that this starts"
            " from: the score may be too good"
        )
    for doubt in doubted:
        progress.note(f"WARNING: {doubt}")
    return Preflight(train, pack, trained.rows, asked.rows, steps, doubted, encoder, watch)


def group_problems(evaluate: EvaluateSection, pack: Sequence[Row], where: str) -> Iterator[Problem]:
    """Gates on groups that no row is in."""
    gate = evaluate.gate
    known = sorted({row.judging.group for row in pack} - {""})
    fix = f"groups are {', '.join(known)}" if known else 'rows say "group": "NAME"'
    for name in gate.groups or {}:
        if name not in known:
            yield Problem(f"no evaluation row is in the group {name!r}", f"{where}: groups", fix)
    if gate.worst_group is not None and not known:
        yield Problem("no evaluation row is in a group", f"{where}: worst_group", fix)


def metric_of(evaluate: EvaluateSection) -> ChosenMetric:
    """The metric that the spec names, with its options."""
    return choose(evaluate.metric_name, evaluate.metric_options)


def limits_of(spec: Spec) -> Limits:
    """What a row of this spec may hold."""
    from kolm_cli.encoding.encoder import Limits

    return Limits(spec.train.max_seq_length, spec.data.max_images_per_example, spec.data.truncation)


def load_encoder(inputs: Inputs) -> Encoder:
    """The base's processor, set up as the spec says; see `encoder_for`."""
    return encoder_for(inputs.spec, inputs.base)


def encoder_for(spec: Spec, base: Base) -> Encoder:
    """A base's processor, set up as the spec says.

    Raises:
        InputError: it cannot be loaded from the base's folder, or does not take the limits on
            the size of pictures.
    """
    from kolm_cli.encoding.encoder import Encoder
    from kolm_cli.families.image_limits import ImageLimits

    images = ImageLimits(**spec.data.images.model_dump())
    try:
        return Encoder.for_base(base, limits_of(spec), images, spec.train.loss_on)
    except KolmError:
        raise
    except Exception as error:
        # transformers raises anything on a folder whose files do not fit each other.
        reason = " ".join(str(error).split()) or repr(error)
        config = type(error).__name__.startswith("StrictDataclass")
        raise InputError(
            Problem(
                f"its {'config.json' if config else 'processor'} cannot be loaded: {reason[:300]}",
                where=f"base.model {base.name}",
                fix="fetch the checkpoint again"
                if config
                else "copy the processor's files from the original checkpoint beside the weights",
            )
        ) from error


def pack_problems(pack: Sequence[Row], metric: ChosenMetric | None = None) -> Iterator[Problem]:
    """What makes rows unfit to be scored.

    No accepted answer, or one that the metric cannot read; one id for two of them.

    Raises:
        LackingError: the metric needs a package that is not installed.
    """
    for row in pack:
        if not any(answer.strip() for answer in row.accepted):
            yield Problem("it has no accepted answer to compare with", row.id, "give it a response")
        elif metric is not None:
            try:
                (row.judging.metric or metric).score("", row.accepted)
            except ValueError as error:
                yield Problem(str(error), where=row.id)
    yield from _repeated(pack, "evaluation")
    groups = {row.judging.group for row in pack} - {""}
    if len(groups) > MAX_GROUPS:
        yield Problem(
            f"its rows are in {len(groups)} groups, more than {MAX_GROUPS}",
            "data.eval",
            "name fewer groups",
        )


def _repeated(rows: Sequence[Row], which: str) -> Iterator[Problem]:
    """The verifier tells rows apart by their ids."""
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            yield Problem(f"two {which} rows have this id", row.id, "give each its own")
        seen.add(row.id)
