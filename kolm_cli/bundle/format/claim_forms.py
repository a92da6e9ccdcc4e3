"""What every claim that nothing else measures may be: one line a claim.

The page of the format prints `TABLE`, and the second reader takes it from there. `*` is each entry
of a list or an object. A claim that is not made has no form.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kolm_cli.bundle.format.json_lines import SHA256

MOST_TEXT = 1024

TABLE = """\
object: receipt.vlm_train receipt.vlm_train.evidence receipt.vlm_train.during
text: receipt.vlm_train.family receipt.vlm_train.family_support receipt.vlm_train.coordinates
texts: receipt.vlm_train.papers
digest: receipt.vlm_train.chat_template_sha256
count: receipt.vlm_train.evidence.projector_calls_observed
count: receipt.vlm_train.evidence.projector_inputs_with_gradient_history
count: receipt.vlm_train.evidence.tensors_trainable
count: receipt.vlm_train.evidence.tensors_with_gradient
count: receipt.vlm_train.evidence.tensors_changed
count: receipt.vlm_train.evidence.optimizer_steps
digest: receipt.vlm_train.evidence.frozen_digests_before.*
digest: receipt.vlm_train.evidence.frozen_digests_after.*
object: receipt.evaluation receipt.evaluation.k_score receipt.evaluation.gate
object: receipt.evaluation.groups receipt.evaluation.groups.*
object: receipt.evaluation.compared receipt.evaluation.compared.*
share: receipt.evaluation.accuracy receipt.evaluation.base_accuracy receipt.evaluation.coverage
share: receipt.evaluation.groups.*.accuracy receipt.evaluation.groups.*.ci95.*
share: receipt.evaluation.k_score.accuracy_ci95.* receipt.evaluation.compared.*.accuracy
count: receipt.evaluation.groups.*.rows
count: receipt.evaluation.compared.*.wins receipt.evaluation.compared.*.losses
number: receipt.evaluation.compared.*.difference receipt.evaluation.compared.*.ci95.*
share: receipt.evaluation.compared.*.p
text: receipt.evaluation.compared.previous.against
list: receipt.evaluation.k_score.accuracy_ci95 receipt.evaluation.groups.*.ci95
list: receipt.evaluation.compared.*.ci95 receipt.evaluation.gate.failed
count?: receipt.evaluation.latency_us
object: receipt.environment receipt.environment.versions
object: receipt.environment.seconds_a_step receipt.environment.planned
text: receipt.environment.accelerator receipt.environment.device receipt.environment.attention
text: receipt.environment.python receipt.environment.system receipt.environment.versions.*
text?: receipt.environment.cuda
texts: receipt.environment.nondeterministic_operations
flag: receipt.environment.tf32
count: receipt.environment.processes receipt.environment.threads
count: receipt.environment.peak_bytes receipt.environment.reserved_bytes
count: receipt.environment.planned.live_bytes receipt.environment.planned.needed_bytes
count: receipt.environment.seconds_a_step.steps
amount: receipt.environment.training_seconds receipt.environment.planned.seconds_a_step
amount: receipt.environment.seconds_a_step.median receipt.environment.seconds_a_step.low
amount: receipt.environment.seconds_a_step.high
object: run.builder run.builder.version run.metadata
text: run.builder.version.* run.metadata.startedOn run.metadata.finishedOn
object: stage.dataset.train stage.dataset.eval
text: stage.capture.namespace stage.capture.split
texts: stage.capture.accepted_by
list: stage.capture.provenance
object: stage.capture.provenance.*
digest: stage.capture.provenance.*.sha256
text: stage.capture.provenance.*.source stage.capture.provenance.*.review
text: stage.capture.provenance.*.reviewer
version: spec.kolm
object: spec.base spec.data spec.data.images spec.train spec.launch spec.evaluate
text: spec.base.revision spec.base.adapter
flag: spec.base.trust_remote_code spec.data.confine
count?: spec.data.images.min_pixels spec.data.images.max_pixels spec.data.images.longest_edge
text: spec.data.images.resize spec.data.review spec.data.truncation
count: spec.data.max_images_per_example
text: spec.launch.device
count: spec.launch.num_processes spec.launch.num_machines
count?: spec.launch.threads
names: spec.train.lora_targets
count: spec.train.lora_r spec.train.lora_alpha spec.train.max_seq_length spec.train.save_steps
count: spec.train.num_train_epochs spec.train.per_device_train_batch_size
count: spec.train.gradient_accumulation_steps spec.train.seed
count?: spec.train.projector_lora_r spec.train.vision_lora_r
amount: spec.train.learning_rate spec.train.lora_dropout spec.train.warmup_ratio
amount: spec.train.weight_decay spec.train.max_grad_norm
amount?: spec.train.projector_learning_rate spec.train.vision_learning_rate
flag: spec.train.freeze_vision spec.train.cache_vision spec.train.bf16
flag: spec.train.gradient_checkpointing
text: spec.train.projector spec.train.lr_scheduler_type spec.train.loss_on spec.train.attention
text?: spec.train.vision
count: spec.evaluate.batch_size
object?: spec.evaluate.during spec.evaluate.during.early_stopping
text: spec.evaluate.during.every spec.evaluate.during.metric spec.evaluate.during.keep
count: spec.evaluate.during.rows spec.evaluate.during.early_stopping.patience
amount: spec.evaluate.during.early_stopping.min_delta
"""


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MOST_TEXT


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


FORMS: dict[str, Callable[[Any], bool]] = {
    "flag": lambda value: isinstance(value, bool),
    "text": _is_text,
    "texts": _are_texts,
    "names": lambda value: _is_text(value) or _are_texts(value),
    "digest": lambda value: isinstance(value, str) and SHA256.fullmatch(value) is not None,
    "count": lambda value: type(value) is int and value >= 0,
    "number": _is_number,
    "amount": lambda value: _is_number(value) and value >= 0,
    "share": lambda value: _is_number(value) and 0 <= value <= 1,
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "version": lambda value: type(value) is int and value == 1,
}


def is_of(form: str, value: Any) -> bool:
    """Whether a value is of a form; one that ends with `?` allows null."""
    return (form.endswith("?") and value is None) or FORMS[form.rstrip("?")](value)


# The form of each claim, by its dotted name.
CLAIMS: dict[str, str] = {
    name: form
    for form, _, names in (line.partition(": ") for line in TABLE.splitlines())
    for name in names.split()
}


def found(value: Any, steps: Sequence[str]) -> Iterator[Any]:
    """What a document has at the steps of a name."""
    if not steps:
        yield value
    elif steps[0] == "*":
        items = value.values() if isinstance(value, dict) else value
        for item in items if isinstance(value, dict | list) else ():
            yield from found(item, steps[1:])
    elif isinstance(value, dict) and steps[0] in value:
        yield from found(value[steps[0]], steps[1:])
