"""What the files and the other claims of a bundle make of a claim: the right sides of the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from math import prod
from typing import Any

from kolm_cli.bundle.checks.previous import claimed_previous
from kolm_cli.bundle.checks.statements import UNSAID, Statements
from kolm_cli.bundle.format.modules import ListedTensor
from kolm_cli.core import digests
from kolm_cli.scoring.gate import Reached, judge
from kolm_cli.scoring.k_score import PLACES, KScore
from kolm_cli.scoring.metrics.catalog import choose
from kolm_cli.scoring.score import Measurements, RowsScored, k_of

Value = Callable[[Statements], Any]
# A row score is drawn a thousand times for an interval: beyond this, it would take seconds.
MAX_INTERVAL_ROWS = 10_000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def rounded(value: Any) -> Any:
    """To the places that are shown: the last bits of a mean depend on how it was summed."""
    return value if isinstance(value, bool) else round(float(value), PLACES)


# -- what the files give --------------------------------------------------------------------------


def train_rows(statements: Statements) -> int:
    """How many lines `data/train.jsonl` has."""
    return statements.train_rows


def vision_is_frozen(statements: Statements) -> bool:
    """Whether no vision tensor is trainable."""
    return all(tensor.part != "vision" for tensor in statements.modules.trainable)


def projector_kinds(statements: Statements) -> Any:
    """How projector tensors are trained; not told of a model without a projector."""
    lists = statements.modules
    if not any(t.part == "projector" for t in (*lists.trainable, *lists.frozen)):
        return UNSAID
    return _kinds(statements, "projector")


def kinds_of_projector(said: Any) -> list[str]:
    """The same, as the option `projector` says it."""
    return {"freeze": [], "lora": ["lora"]}.get(said, ["full"])


def vision_has_lora(statements: Statements) -> Any:
    """Whether the tower's trainable tensors are LoRA's; neither, where it has both kinds."""
    kinds = _kinds(statements, "vision")
    return None if kinds == ["full", "lora"] else kinds == ["lora"]


def _kinds(statements: Statements, part: str) -> list[str]:
    return sorted({t.kind for t in statements.modules.trainable if t.part == part})


def lora_layers(statements: Statements) -> list[str]:
    """The last names of the language tower's layers that have adapters, sorted."""
    paths = [
        t.name.partition(".lora_")[0]
        for t in statements.modules.trainable
        if ".lora_" in t.name and t.part not in ("projector", "vision")
    ]
    return sorted({path.rpartition(".")[2] for path in paths})


def elements(tensors: Iterable[ListedTensor], part: str) -> int:
    """The numbers in the tensors of a part."""
    return sum(prod(tensor.shape) for tensor in tensors if tensor.part == part)


def parts(statements: Statements) -> list[str]:
    """The parts that the model has."""
    lists = statements.modules
    return sorted({tensor.part for tensor in (*lists.trainable, *lists.frozen)})


def parameters_after(statements: Statements) -> dict[str, Any]:
    """Elements of each part in `modules.json`."""
    trainable, frozen = statements.modules.trainable, statements.modules.frozen
    return {
        part: {
            "parameters": elements((*trainable, *frozen), part),
            "trainable": elements(trainable, part),
        }
        for part in parts(statements)
    }


def parameters_before(statements: Statements) -> dict[str, int]:
    """Elements of each part without the adapters."""
    lists = statements.modules
    own = [t for t in (*lists.trainable, *lists.frozen) if ".lora_" not in t.name]
    return {part: count for part in parts(statements) if (count := elements(own, part))}


def adapters(statements: Statements) -> dict[str, int]:
    """Pairs of LoRA matrices in each part."""
    pairs = [tensor.part for tensor in statements.modules.trainable if ".lora_A." in tensor.name]
    return {part: pairs.count(part) for part in parts(statements)}


def parts_with_frozen(statements: Statements) -> Any:
    """The parts of which something is frozen, by the claimed counts."""
    counts = statements.said("receipt.vlm_train.evidence.parameters_after_peft")
    if counts is UNSAID:
        return UNSAID
    return sorted(p for p, count in counts.items() if count["parameters"] > count["trainable"])


def loss_on(statements: Statements) -> Any:
    """The turns that were learned."""
    said = statements.said("receipt.vlm_train.loss_on")
    return "all" if said is UNSAID else said


def cut_rows(statements: Statements) -> dict[str, list[str]]:
    """Of the rows whose answers are said to be cut, those that the pack has, in its order."""
    said = statements.said("receipt.evaluation.cut_answers")
    if said is UNSAID:
        return {}
    wanted = {k: set(said[k]) for k in ("predictions", "base_predictions") if k in said}
    ids = [row.id for row in statements.case.evaluation.pack]
    return {name: [i for i in ids if i in rows] for name, rows in wanted.items()}


def no_history(statements: Statements) -> Any:
    """No gradient may reach a frozen tower."""
    return 0 if statements.said("receipt.vlm_train.freeze_vision") is True else UNSAID


def parent(statements: Statements) -> Any:
    """The CID of the bundle that training started from, as the spec names it."""
    named = statements.said("spec.base.adapter")
    if named is UNSAID:
        return None
    cid = str(named).removeprefix("registry:")
    digests.digest_from_cid(cid)
    return cid


# -- what the claims give -------------------------------------------------------------------------


def k_claimed(statements: Statements) -> KScore:
    """K from what the receipt claims: with digests alone there is nothing else to take."""
    claims = statements.said("receipt.evaluation")
    measured = Measurements(statements.case.manifest.total_bytes, claims.get("latency_us"))
    price = statements.case.evaluation.settings.usd_per_hour
    return k_of(claims["accuracy"], claims["coverage"], measured, price)


def gate_passed(statements: Statements) -> bool:
    """Whether what is claimed reaches the gate."""
    gate = statements.case.evaluation.settings.gate
    claims = statements.said("receipt.evaluation")
    k = k_claimed(statements)
    reached = Reached(
        k=k.k,
        accuracy=claims["accuracy"],
        axes=k.axes,
        groups={name: one["accuracy"] for name, one in claims.get("groups", {}).items()},
        previous=claimed_previous(claims),
    )
    return judge(gate, reached).passed


def interval(statements: Statements) -> Any:
    """The interval of the row scores, where there are few enough."""
    score = statements.case.score
    if score is None or len(score.row_scores) > MAX_INTERVAL_ROWS:
        return UNSAID
    return list(score.interval)


def _few_rows(statements: Statements) -> RowsScored | None:
    """The scored rows, where there are few enough for intervals."""
    score = statements.case.score
    return None if score is None or len(score.row_scores) > MAX_INTERVAL_ROWS else score.rows


def groups(statements: Statements) -> Any:
    """Rows, accuracy and interval of each group."""
    rows = _few_rows(statements)
    return UNSAID if rows is None else {n: one.as_json() for n, one in rows.groups.items()}


def against_base(statements: Statements) -> Any:
    """The paired comparison with the base's answers."""
    rows = _few_rows(statements)
    return UNSAID if rows is None or rows.against_base is None else rows.against_base.as_json()


def against_majority(statements: Statements) -> Any:
    """The paired comparison with the most frequent answer."""
    rows = _few_rows(statements)
    if rows is None:
        return UNSAID
    return {"answer": rows.majority, **rows.against_majority.as_json()}


def has_failures(statements: Statements) -> bool:
    """Whether something has to be named that was not reached."""
    return statements.said("receipt.evaluation.gate.passed") is not True


def name_of_manifest(statements: Statements) -> Any:
    """The bundle's name."""
    # The first golden bundles have one name for all of them in the beginning of a spec.
    return statements.said("manifest.name") if statements.whole else UNSAID


def commit(statements: Statements) -> Any:
    """The base's commit, where the spec names one: a branch or a tag cannot be compared."""
    asked_for = re.fullmatch(r"[0-9a-f]{40}", str(statements.said("spec.base.revision")))
    return statements.said("manifest.base.revision") if asked_for else UNSAID


def source(split: str) -> Value:
    """What the spec names its data by."""
    return lambda statements: f"sha256:{statements.said(f'data.{split}.sha256')}"


def metric_asked(value: Any) -> Any:
    """Name and options, those with their default left out."""
    name, options = (value, {}) if isinstance(value, str) else (value["name"], dict(value))
    options.pop("name", None)
    return [name, dict(choose(name, options).options)]


def metric_of_evaluation(statements: Statements) -> Any:
    """Name and options, as the evaluation has them."""
    settings = statements.case.evaluation.settings
    return [settings.metric, dict(settings.metric_options)]


def asked(gate: Any) -> Any:
    """A gate without what is not asked for."""
    return {name: least for name, least in gate.items() if least is not None}


def reviewed(statements: Statements) -> Any:
    """How many pairs were accepted."""
    provenance = statements.said("stage.capture.provenance")
    if provenance is UNSAID:
        return UNSAID
    return sum(entry["review"] == "accepted" for entry in provenance)


def reviewers(statements: Statements) -> Any:
    """Who accepted them."""
    provenance = statements.said("stage.capture.provenance")
    if provenance is UNSAID:
        return UNSAID
    return sorted({entry["reviewer"] for entry in provenance} - {""})


def provenance_digest(statements: Statements) -> Any:
    """The digest of the list of pairs."""
    provenance = statements.said("stage.capture.provenance")
    return UNSAID if provenance is UNSAID else digests.sha256_json(provenance)


def not_later(statements: Statements) -> str:
    """The earlier of the two times."""
    metadata = statements.said("run.metadata")
    for name in ("startedOn", "finishedOn"):
        if not _TIME.fullmatch(str(metadata[name])):
            raise ValueError(f"{name} is no time such as 2026-01-02T03:04:05Z")
    return min(str(metadata["startedOn"]), str(metadata["finishedOn"]))


def threads(statements: Statements) -> Any:
    """The threads that there were, where the spec asked for some."""
    asked = statements.said("spec.launch.threads")
    return UNSAID if asked is None else statements.said("receipt.environment.threads")


def pictures_digest(split: str) -> Value:
    """The digest of the list of pictures."""

    def value(statements: Statements) -> Any:
        pictures = statements.said(f"stage.dataset.{split}.pictures")
        return UNSAID if pictures is UNSAID else digests.sha256_json(pictures)

    return value


def outside(split: str) -> Value:
    """The number of images that is claimed, where there may be some."""

    def value(statements: Statements) -> Any:
        said = statements.said(f"stage.dataset.{split}.images_outside")
        confined = statements.said("spec.data.confine") is True
        return said if type(said) is int and said > 0 and not confined else None

    return value


def pictures_asked(statements: Statements) -> list[int]:
    """How many images each row of the pack shows."""
    return [len(row.images) for row in statements.case.evaluation.pack]


def pictures_listed(said: Any) -> list[int]:
    """How many images are listed for each row."""
    return [len(row) for row in said]
