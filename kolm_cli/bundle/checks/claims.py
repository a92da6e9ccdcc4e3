"""Which claims the format demands, and which nothing else in a bundle could contradict."""

from __future__ import annotations

from collections.abc import Collection

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

# What the format demands of every receipt.
REQUIRED: tuple[str, ...] = (
    *(f"{TRAINED}.{name}" for name in ("model_id", "papers", "lora_r", "lora_alpha")),
    *(f"{TRAINED}.{name}" for name in ("lora_targets", "freeze_vision", "learning_rate")),
    *(f"{TRAINED}.{name}" for name in ("max_seq_length", "train_examples")),
    *(f"{TRAINED}.{name}" for name in ("trainable_modules", "frozen_modules")),
    *(f"{SCORED}.{name}" for name in ("metric", "accuracy", "base_accuracy", "coverage")),
    *(f"{SCORED}.{name}" for name in ("latency_us", "k_score.k", "k_score.axes", "k_score.spec")),
    *(f"{SCORED}.{name}" for name in ("gate.passed", "gate.failed")),
    "receipt.environment",
    "receipt.chain",
    *("run.builder.id", "run.metadata.startedOn", "run.metadata.finishedOn"),
)

# Claims that another check of the catalog relates to the files.
ELSEWHERE: dict[str, str] = {
    "receipt.chain": "chain",
    f"{TRAINED}.lora_r": "adapter",
    f"{TRAINED}.lora_alpha": "adapter",
    f"{TRAINED}.projector_lora_r": "modules",
    f"{TRAINED}.vision_lora_r": "modules",
    f"{TRAINED}.chat_template_sha256": "template",
    f"{TRAINED}.trainable_modules": "modules",
    f"{TRAINED}.frozen_modules": "modules",
    f"{EVIDENCE}.tensors_trainable": "evidence",
    f"{EVIDENCE}.tensors_with_gradient": "evidence",
    f"{EVIDENCE}.tensors_changed": "evidence",
    f"{EVIDENCE}.frozen_digests_before": "evidence",
    f"{SCORED}.accuracy": "k-score",
    f"{SCORED}.base_accuracy": "k-score",
    f"{SCORED}.coverage": "coverage",
    f"{SCORED}.compared.previous": "k-score",
    f"{SCORED}.latency": "k-score",
    # The receipt's options equal it.
    "spec.evaluate.during": "agreement",
    # The ids of captured rows begin with it.
    "stage.capture.namespace": "agreement",
}

# Claims that nothing else in a bundle could contradict, and why.
STAND_ALONE: dict[str, str] = {
    f"{TRAINED}.family": "how kolm took the base, which is not in the bundle",
    f"{TRAINED}.family_support": "how well kolm knows the family",
    f"{TRAINED}.papers": "where the family is described",
    f"{TRAINED}.coordinates": "the family's own; which numbers its boxes are",
    f"{EVIDENCE}.projector_calls_observed": "seen during training only",
    f"{DURING}.rows": "which rows were asked meanwhile; held_out says whether the pack has them",
    f"{DURING}.loss": "seen during training only; where it ended and what was kept follow",
    f"{DURING}.accuracy": "likewise",
    f"{DURING}.incomplete": "likewise; evaluations that could not be kept",
    f"{SCORED}.latency_us": "measured; the axis L follows from it",
    "receipt.environment": "what the machine was; the spec's device and processes fit it",
    "run.metadata.finishedOn": "the signer's clock",
    "run.builder.version": "which kolm wrote the bundle",
    "stage.capture.split": "which part of that store",
    "spec.kolm": "the version of the spec's own format",
    "spec.base.adapter": "asked for; the receipt names the same bundle",
    "spec.base.trust_remote_code": "asked for; the receipt repeats it",
    "spec.data.confine": "a limit on files that are not in the bundle; no stage has images outside",
    "spec.data.images": "asked for; the processor in the bundle has the limits",
    "spec.data.max_images_per_example": "a limit on rows that are not in the bundle",
    "spec.data.review": "which pairs were taken; the capture's facts count the accepted",
    "spec.data.truncation": "how rows were cut that are not in the bundle",
    "spec.evaluate.batch_size": "how many rows were answered at once",
    "spec.train.lora_targets": "asked for; the receipt names the layers that it meant",
}


def related(name: str, names: Collection[str]) -> bool:
    """Whether a claim is in the table, related by another check, or known to stand alone.

    Args:
        name: the dotted name of the claim.
        names: those of all claims of the same bundle.
    """
    roots = [equation.claim for equation in EQUATIONS]
    others = [equation.equals for equation in EQUATIONS if equation.value is None]
    for root in (*roots, *others, *ELSEWHERE, *STAND_ALONE):
        if name == root or name.startswith(f"{root}."):
            return True
    for one, other in ((MIRRORED, MIRROR), (MIRROR, MIRRORED)):
        rest = name.removeprefix(f"{one}.")
        if rest != name and rest not in NOT_MIRRORED and f"{other}.{rest}" in names:
            return True
    return False
