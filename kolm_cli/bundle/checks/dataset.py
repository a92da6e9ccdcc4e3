"""The digests of the data fit together."""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.dataset import read_dataset
from kolm_cli.core.errors import VerificationError


def _run(case: Case) -> Outcome:
    stated = read_dataset(case.contents.content(layout.DATASET))
    train, evaluation = case.contents.train, case.evaluation
    if train.problem:
        raise VerificationError(f"{layout.TRAIN_ROWS}: {train.problem}")
    if stated.train != train.facts:
        raise VerificationError(f"{layout.TRAIN_ROWS} is not the training data that is named")
    found = (len(evaluation.pack), len(evaluation.images))
    if (stated.eval.rows, stated.eval.images) != found:
        raise VerificationError(f"{layout.PACK} is not the evaluation data that is named")
    shared = train.images & evaluation.images
    if shared:
        raise VerificationError(f"{len(shared)} images of the evaluation were trained on")
    copies = train.rows - train.different
    repeated = f", {copies} of them copies of others" if copies else ""
    return Outcome(True, f"{train.rows} training rows with {len(train.images)} images{repeated}")


CHECK = Check("dataset", _run)
