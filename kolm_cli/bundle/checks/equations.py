"""The table of what a bundle states twice.

Each equation relates a claim to another statement, or to what is in the files. A claim that is not
made contradicts nothing: bundles of earlier versions say less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kolm_cli.bundle.checks import derived, during, measured
from kolm_cli.bundle.checks.statements import UNSAID, Statements
from kolm_cli.bundle.format.statement import BUILDER_ID


def as_it_is(value: Any) -> Any:
    """The value itself."""
    return value


@dataclass(frozen=True)
class Equation:
    """One claim, and what it has to equal.

    Attributes:
        claim: the dotted name of the claim.
        equals: the dotted name of the other statement, or words for what `value` computes.
        value: what the claim has to equal; `UNSAID` where that cannot be told.
        view: what of the claim counts; of the other statement too, when there is no `value`.
        default: what the claim says where it is not made.
    """

    claim: str
    equals: str
    value: derived.Value | None = None
    view: Callable[[Any], Any] = as_it_is
    default: Any = UNSAID

    def sides(self, statements: Statements) -> tuple[Any, Any]:
        """What is said, and what it has to equal."""
        said = statements.said(self.claim)
        said = self.default if said is UNSAID else said
        if said is UNSAID:
            return UNSAID, UNSAID
        if self.value is not None:
            return self.view(said), self.value(statements)
        other = statements.said(self.equals)
        return self.view(said), UNSAID if other is UNSAID else self.view(other)


TRAINED, EVIDENCE = "receipt.vlm_train", "receipt.vlm_train.evidence"
DURING = "receipt.vlm_train.during"
SCORED, MEASURED = "receipt.evaluation", "receipt.environment"

EQUATIONS: tuple[Equation, ...] = (
    # What was trained.
    Equation(f"{TRAINED}.model_id", "manifest.base.model"),
    Equation(f"{TRAINED}.model_revision", "manifest.base.revision"),
    Equation(f"{TRAINED}.train_examples", "the lines of data/train.jsonl", derived.train_rows),
    Equation(f"{TRAINED}.freeze_vision", "no vision tensor is trainable", derived.vision_is_frozen),
    Equation(
        f"{TRAINED}.projector",
        "`freeze` unless a projector tensor is trainable, `lora` where all of them are LoRA's",
        derived.projector_kinds,
        derived.kinds_of_projector,
    ),
    Equation(
        f"{TRAINED}.vision",
        "`lora` where the trainable vision tensors are LoRA's",
        derived.vision_has_lora,
        lambda said: said == "lora",
        default="",
    ),
    Equation(
        f"{TRAINED}.lora_targets",
        "the language tower's layers that have adapters",
        derived.lora_layers,
        sorted,
    ),
    Equation(f"{TRAINED}.trust_remote_code", "spec.base.trust_remote_code"),
    Equation(
        f"{TRAINED}.parent",
        "the CID that spec.base.adapter names, null where it names none",
        derived.parent,
        default=None,
    ),
    Equation(
        f"{EVIDENCE}.parameters_after_peft",
        "the elements in modules.json, part by part",
        derived.parameters_after,
    ),
    Equation(
        f"{EVIDENCE}.parameters_before_peft",
        "the same without the adapters",
        derived.parameters_before,
    ),
    Equation(f"{EVIDENCE}.adapters_per_part", "the `lora_A` in modules.json", derived.adapters),
    Equation(
        f"{EVIDENCE}.frozen_digests_after",
        "has the parts that are not trained whole",
        derived.parts_with_frozen,
        sorted,
    ),
    Equation(
        f"{EVIDENCE}.projector_inputs_with_gradient_history",
        "0 where freeze_vision is true",
        derived.no_history,
    ),
    # How it was evaluated meanwhile.
    Equation(
        f"{DURING}.options",
        "spec.evaluate.during, null where it has none",
        during.asked,
        default=None,
    ),
    Equation(
        f"{DURING}.held_out",
        "whether these rows choose, where the pack has none of them, or all if not",
        during.held_out,
    ),
    Equation(f"{DURING}.steps", "those that `every` gives, up to steps_trained", during.steps),
    Equation(f"{DURING}.steps_planned", "the steps of the training rows", during.planned),
    Equation(f"{DURING}.steps_trained", "where the evaluations end it", during.trained),
    Equation(
        f"{EVIDENCE}.optimizer_steps",
        "the steps of the training rows; with `during`, the step that the evaluations keep",
        during.kept,
    ),
    # How it scored.
    Equation(f"{SCORED}.metric", "evaluation.metric"),
    Equation(
        f"{SCORED}.metric_options",
        "evaluation.metric_options",
        lambda statements: dict(statements.case.evaluation.settings.metric_options),
        default={},
    ),
    Equation(
        f"{SCORED}.cut_answers",
        "rows of eval/pack.jsonl, in its order",
        derived.cut_rows,
        default={},
    ),
    Equation(
        f"{SCORED}.k_score.k",
        "K of accuracy, coverage, latency_us, the size and the price",
        lambda statements: derived.k_claimed(statements).k,
    ),
    Equation(
        f"{SCORED}.k_score.axes",
        "the axes of the same",
        lambda statements: derived.k_claimed(statements).axes,
    ),
    Equation(
        f"{SCORED}.k_score.spec",
        "the name of the formula",
        lambda statements: derived.k_claimed(statements).spec,
    ),
    Equation(f"{SCORED}.k_score.accuracy_ci95", "the interval of the row scores", derived.interval),
    Equation(f"{SCORED}.groups", "the groups of the row scores", derived.groups),
    Equation(
        f"{SCORED}.compared.base",
        "the paired comparison with the base's answers",
        derived.against_base,
    ),
    Equation(
        f"{SCORED}.compared.majority",
        "the paired comparison with the most frequent answer",
        derived.against_majority,
    ),
    Equation(
        f"{SCORED}.gate.passed", "what is claimed reaches evaluation.gate", derived.gate_passed
    ),
    Equation(
        f"{SCORED}.gate.failed", "empty where the gate was passed", derived.has_failures, bool
    ),
    # What the stages say.
    Equation("stage.capture.pairs", "the lines of data/train.jsonl", derived.train_rows),
    Equation("stage.capture.provenance", "one entry for each line", derived.train_rows, len),
    Equation(
        "stage.capture.provenance_sha256", "the digest of provenance", derived.provenance_digest
    ),
    Equation("stage.capture.accepted", "the accepted of provenance", derived.reviewed),
    Equation("stage.capture.accepted_by", "the reviewers of provenance", derived.reviewers),
    Equation("stage.dataset.train.rows", "data.train.rows"),
    Equation("stage.dataset.train.sha256", "data.train.sha256"),
    Equation("stage.dataset.train.pictures", "one entry for each line", derived.train_rows, len),
    Equation(
        "stage.dataset.train.pictures_sha256",
        "the digest of pictures",
        derived.pictures_digest("train"),
    ),
    Equation(
        "stage.dataset.eval.pictures",
        "one entry for each image of each row of eval/pack.jsonl",
        derived.pictures_asked,
        derived.pictures_listed,
    ),
    Equation(
        "stage.dataset.eval.pictures_sha256",
        "the digest of pictures",
        derived.pictures_digest("eval"),
    ),
    Equation(
        "stage.dataset.train.images_outside",
        "a number of at least 1, and no claim where spec.data.confine is true",
        derived.outside("train"),
    ),
    Equation(
        "stage.dataset.eval.images_outside",
        "a number of at least 1, and no claim where spec.data.confine is true",
        derived.outside("eval"),
    ),
    Equation("stage.dataset.eval.rows", "data.eval.rows"),
    Equation("stage.dataset.eval.sha256", "data.eval.sha256"),
    Equation("stage.train.base", "manifest.base.model"),
    Equation("stage.train.dataset_sha256", "data.train.sha256"),
    Equation("stage.train.optimizer_steps", f"{EVIDENCE}.optimizer_steps"),
    Equation("stage.train.frozen_digests", f"{EVIDENCE}.frozen_digests_after"),
    Equation("stage.evaluate.metric", "evaluation.metric"),
    Equation("stage.evaluate.pack_sha256", "data.eval.sha256"),
    Equation("stage.evaluate.accuracy", f"{SCORED}.accuracy", view=derived.rounded),
    Equation("stage.evaluate.base_accuracy", f"{SCORED}.base_accuracy", view=derived.rounded),
    Equation("stage.evaluate.coverage", f"{SCORED}.coverage", view=derived.rounded),
    # What the spec asked for.
    Equation("spec.name", "manifest.name", derived.name_of_manifest),
    Equation("spec.base.model", "manifest.base.model"),
    Equation("spec.base.revision", "manifest.base.revision, where it is a commit", derived.commit),
    Equation("spec.data.train", "data.train.sha256", derived.source("train")),
    Equation("spec.data.eval", "data.eval.sha256", derived.source("eval")),
    Equation(
        "spec.train.loss_on",
        "receipt.vlm_train.loss_on, `all` where either is silent",
        derived.loss_on,
        default="all",
    ),
    Equation("spec.launch.device", "receipt.environment.accelerator"),
    Equation("spec.launch.num_processes", "receipt.environment.processes"),
    Equation(
        "spec.launch.threads", "receipt.environment.threads, where it is not null", derived.threads
    ),
    Equation(
        "spec.evaluate.metric",
        "evaluation.metric and its options",
        derived.metric_of_evaluation,
        derived.metric_asked,
    ),
    Equation("spec.evaluate.gate", "evaluation.gate", view=derived.asked),
    Equation("spec.evaluate.include", "evaluation.include"),
    Equation("spec.evaluate.max_new_tokens", "evaluation.max_new_tokens"),
    Equation("spec.evaluate.usd_per_hour", "evaluation.usd_per_hour"),
    # What was measured of the run.
    Equation(
        f"{MEASURED}.seconds_a_step.steps",
        "at least 1, and no more than were trained",
        measured.no_more_steps,
    ),
    Equation(
        f"{MEASURED}.seconds_a_step.median",
        "from low to high, and half of the steps together took no longer than training_seconds",
        measured.step_median,
    ),
    Equation(
        f"{MEASURED}.peak_bytes", "no more than reserved_bytes", measured.at_most("reserved_bytes")
    ),
    Equation(
        f"{MEASURED}.planned.live_bytes",
        "no more than needed_bytes",
        measured.at_most("planned.needed_bytes", "planned.live_bytes"),
    ),
    # By what it was made.
    Equation("run.builder.id", "the builder of this format", lambda _: BUILDER_ID),
    Equation("run.builder.version.kolm-cli", "receipt.environment.versions.kolm-cli"),
    Equation("run.metadata.startedOn", "not after run.metadata.finishedOn", derived.not_later),
)

# Every option of training that both the spec and the receipt name; `lora_targets` is resolved in
# between, from a word to the names of layers.
MIRRORED, MIRROR = "spec.train", TRAINED
NOT_MIRRORED = frozenset({"lora_targets"})
