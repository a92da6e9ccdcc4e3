"""What a bundle of a whole compile has to say, and what its ids and digests have to fit.

The first bundles hold the beginning of a spec, `kolm` and `name` alone, and say little. Where
`spec.yaml` is whole, everything is there that every compile says: leaving a claim out would be a
way around the equation that it is in. What a stage only repeats may be left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from kolm_cli.bundle.checks import pictures
from kolm_cli.bundle.checks.claims import ELSEWHERE, REQUIRED, STAND_ALONE
from kolm_cli.bundle.checks.during import asked
from kolm_cli.bundle.checks.equations import (
    DURING,
    EQUATIONS,
    EVIDENCE,
    MIRROR,
    MIRRORED,
    NOT_MIRRORED,
    SCORED,
    TRAINED,
)
from kolm_cli.bundle.checks.statements import UNSAID, Statements
from kolm_cli.bundle.format.dataset import id_digest
from kolm_cli.core import digests

# A longer list of pairs is there by its digest only.
LISTED_PAIRS = 10_000

_LEARNED = ("tensors_trainable", "tensors_with_gradient", "tensors_changed", "optimizer_steps")
_PARTS = ("parameters_before_peft", "parameters_after_peft", "adapters_per_part")
_DIGESTS = ("frozen_digests_before", "frozen_digests_after")
_SEEN = ("projector_calls_observed", "projector_inputs_with_gradient_history")
_MACHINE = (
    "accelerator",
    "device",
    "processes",
    "python",
    "system",
    "threads",
    "versions.kolm-cli",
)
_OPTIONS = ("freeze_vision", "learning_rate", "lora_alpha", "lora_r", "max_seq_length", "projector")

WHOLE: tuple[str, ...] = (
    *(f"{TRAINED}.{name}" for name in ("family", "family_support", "model_revision")),
    *(f"{TRAINED}.{name}" for name in ("projector", "trust_remote_code")),
    *(f"{EVIDENCE}.{name}" for name in (*_LEARNED, *_PARTS, *_DIGESTS, *_SEEN)),
    f"{SCORED}.k_score.accuracy_ci95",
    *(f"receipt.environment.{name}" for name in _MACHINE),
    *("receipt.environment.versions.kolm-cli", "run.builder.version.kolm-cli"),
    *(f"spec.{name}" for name in ("kolm", "name", "base.model", "base.revision")),
    *("spec.data.train", "spec.data.eval", "spec.launch.device", "spec.launch.num_processes"),
    *(f"spec.evaluate.{name}" for name in ("metric", "max_new_tokens", "include", "gate")),
    "spec.evaluate.usd_per_hour",
    *(f"{MIRRORED}.{name}" for name in (*_OPTIONS, *sorted(NOT_MIRRORED))),
)
EVALUATED: tuple[str, ...] = tuple(
    f"{DURING}.{name}"
    for name in ("rows", "steps", "loss", "accuracy", "held_out", "steps_planned", "steps_trained")
)
CAPTURED: tuple[str, ...] = tuple(
    f"stage.capture.{name}"
    for name in ("namespace", "split", "pairs", "accepted", "accepted_by", "provenance_sha256")
)


def missing(statements: Statements) -> Iterator[str]:
    """The claims that are not made and should be."""
    wanted = list(REQUIRED)
    if statements.whole:
        wanted += WHOLE
        if statements.said("stage.capture") is not UNSAID:
            wanted += CAPTURED
            if statements.train_rows <= LISTED_PAIRS:
                wanted.append("stage.capture.provenance")
        if asked(statements) is not None:
            wanted += EVALUATED
        wanted += _options(statements)
    yield from (name for name in dict.fromkeys(wanted) if statements.said(name) is UNSAID)


def _options(statements: Statements) -> Iterator[str]:
    """The options of training: each side names those that the other does."""
    options, trained = statements.said(MIRRORED), statements.said(MIRROR)
    if isinstance(options, dict):
        yield from (f"{MIRROR}.{name}" for name in options if isinstance(name, str))
    if isinstance(trained, dict):
        # What is no claim of another kind is an option.
        known = {equation.claim for equation in EQUATIONS} | {*REQUIRED, *ELSEWHERE, *STAND_ALONE}
        names = (name for name in trained if f"{MIRROR}.{name}" not in known | {EVIDENCE, DURING})
        yield from (f"{MIRRORED}.{name}" for name in names)


def misfits(statements: Statements) -> Iterator[str]:
    """Ids and digests of rows that do not fit what is said of them."""
    yield from pictures.misfits(statements)
    if asked(statements) is None and statements.said(DURING) is not UNSAID:
        yield f"{DURING} is there, and the spec has no evaluate.during"
    if not statements.whole:
        return
    evaluation = statements.case.evaluation
    if evaluation.settings.include == "digests":
        found = digests.sha256_json([[row.id, row.sha256] for row in evaluation.pack])
        if statements.said("data.eval.sha256") != found:
            yield "data.eval.sha256 is not the digest of the rows in eval/pack.jsonl"
    train, capture = statements.case.contents.train, statements.said("stage.capture")
    if not isinstance(capture, dict):
        if train.captured:
            yield f"{train.captured} training rows are captured pairs, but there was no capture"
        return
    pairs, namespace = capture.get("provenance"), capture.get("namespace")
    if train.captured != train.rows:
        yield f"{train.rows - train.captured} training rows are no captured pairs"
    if isinstance(pairs, list) and train.captured:
        ids = [
            id_digest(f"capture:{namespace}/{str(pair.get('sha256'))[:16]}")
            for pair in pairs
            if isinstance(pair, dict)
        ]
        if ids != train.ids:
            yield "stage.capture.provenance is not about the rows in data/train.jsonl"
