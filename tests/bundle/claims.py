"""Bundles that say all that kolm says of a bundle, and one thing more or less on demand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from kolm_cli.bundle.build import Stage, build_bundle
from kolm_cli.bundle.checks.base import Case
from kolm_cli.bundle.checks.statements import Statements
from kolm_cli.bundle.contents import read_contents
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.evaluation import read_settings
from kolm_cli.bundle.format.pack import read_pack
from kolm_cli.bundle.format.predictions import read_predictions
from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.bundle.verify import Report, verify
from kolm_cli.core import canonical_json, digests
from kolm_cli.scoring.score import score_rows
from kolm_cli.spec.model import EvaluateSection, LaunchSection, TrainSection
from tests.bundle import factory
from tests.bundle.forge import envelope, files_of, pack, payload_of

Edit = Callable[[Any], Any]
REMOVED = object()
TRAIN = TrainSection(
    lora_r=2,
    lora_alpha=4,
    lora_targets=["q_proj"],
    learning_rate=1e-4,
    max_seq_length=512,
    num_train_epochs=2,
    gradient_accumulation_steps=1,
)
DURING = {
    "every": "1 steps",
    "rows": 2,
    "metric": "accuracy",
    "keep": "best",
    "early_stopping": {"patience": 2, "min_delta": 0.0},
}
PARENT = digests.cid(b"an earlier bundle")
FROZEN = {"language": "12" * 32, "vision": "cd" * 32}


def change(document: Any, name: str, edit: Edit) -> None:
    """Replace the value at a dotted name by what `edit` makes of it; `REMOVED` takes it away."""
    *path, last = name.split(".")
    for step in path:
        document = document[step]
    document[last] = edit(document.get(last))
    if document[last] is REMOVED:
        del document[last]


def _spec(files: factory.Files) -> dict[str, Any]:
    evaluation, dataset = (_json(files[path]) for path in (layout.EVALUATION, layout.DATASET))
    evaluate = EvaluateSection(
        metric=evaluation["metric"],
        max_new_tokens=evaluation["max_new_tokens"],
        include=evaluation["include"],
        usd_per_hour=evaluation["usd_per_hour"],
        gate=evaluation["gate"],
        during=DURING,
    )
    launch = LaunchSection(device="cpu", threads=1).model_dump(mode="json")
    for name in ("machine_rank", "main_process_ip", "main_process_port"):
        launch.pop(name, None)
    return {
        "kolm": 1,
        "name": "tiny-chart",
        "base": {
            "model": factory.BASE.model,
            "revision": factory.BASE.revision,
            "trust_remote_code": False,
            "adapter": f"registry:{PARENT}",
        },
        "data": {
            "train": f"sha256:{dataset['train']['sha256']}",
            "eval": f"sha256:{dataset['eval']['sha256']}",
            "images": {"min_pixels": None, "max_pixels": 602112, "longest_edge": None},
            "max_images_per_example": 4,
            "review": "all",
            "truncation": "prompt_start",
        },
        "train": TRAIN.model_dump(mode="json"),
        "launch": launch,
        "evaluate": evaluate.model_dump(mode="json"),
    }


def _receipt(files: factory.Files) -> dict[str, Any]:
    receipt = factory.make_receipt(files)
    receipt["vlm_train"] = {
        **TRAIN.model_dump(mode="json"),
        **receipt["vlm_train"],
        "model_revision": factory.BASE.revision,
        "family": "tiny",
        "family_support": "supported",
        "coordinates": "pixels",
        "trust_remote_code": False,
        "parent": PARENT,
        "chat_template_sha256": factory.template_sha256(files),
        "during": _during(),
        "evidence": {
            "adapters_per_part": {"language": 2, "projector": 0, "vision": 0},
            "frozen_digests_after": FROZEN,
            "frozen_digests_before": FROZEN,
            "optimizer_steps": 3,
            "parameters_after_peft": {
                "language": {"parameters": 192, "trainable": 64},
                "projector": {"parameters": 16, "trainable": 16},
                "vision": {"parameters": 64, "trainable": 0},
            },
            "parameters_before_peft": {"language": 128, "projector": 16, "vision": 64},
            "projector_calls_observed": 3,
            "projector_inputs_with_gradient_history": 0,
            "tensors_changed": 5,
            "tensors_trainable": 5,
            "tensors_with_gradient": 5,
        },
    }
    receipt["evaluation"] |= _judged(files)
    if not receipt["evaluation"].get("metric_options", True):
        del receipt["evaluation"]["metric_options"]
    receipt["environment"] = {
        "accelerator": "cpu",
        "device": "x86_64",
        "processes": 1,
        "python": "3.11.2",
        "system": "Linux",
        "threads": 1,
        "training_seconds": 1.5,
        "seconds_a_step": {"median": 0.2, "low": 0.1, "high": 0.3, "steps": 5},
        "planned": {"live_bytes": 10, "needed_bytes": 10, "seconds_a_step": 0.1},
        "peak_bytes": 12,
        "reserved_bytes": 12,
        "versions": {"kolm-cli": kolm_version(), "torch": "2.13.0"},
    }
    return receipt


def _during() -> dict[str, Any]:
    """Ten steps were planned; the third is the best of those that could be kept."""
    row = {"id": "eval.jsonl:99", "images": [factory.digest("seen")], "sha256": "7" * 64}
    return {
        "options": DURING,
        "rows": [row],
        "held_out": True,
        "steps": [1, 2, 3, 4, 5],
        "loss": [2.5, 2.0, 1.5, 1.25, None],
        "accuracy": [0.75, 0.5, 0.625, 0.5, 0.625],
        "incomplete": [1],
        "steps_planned": 10,
        "steps_trained": 5,
    }


PREVIOUS = {
    "against": "tiny-chart:latest",
    "cid": PARENT,
    "accuracy": 0.7,
    "difference": 0.1,
    "ci95": [0.0, 0.3],
    "wins": 1,
    "losses": 0,
    "p": 1.0,
    "at_least": 0.0,
}


def _judged(files: factory.Files) -> dict[str, Any]:
    """What a receipt says of comparisons, groups and the spread of the latency."""
    measured = {"latency": {"answers": 20, "low_us": 110_000, "high_us": 130_000}}
    settings = read_settings(_bytes(files[layout.EVALUATION]))
    if settings.include == "digests":
        return {**measured, "compared": {"previous": PREVIOUS}}
    pack = read_pack(_bytes(files[layout.PACK]), settings.include, settings.row_keys)
    said, base = (
        read_predictions(_bytes(files[path]), path)
        for path in (layout.PREDICTIONS, layout.BASE_PREDICTIONS)
    )
    rows = score_rows(settings.scoring().metric, pack, said, base)
    return {
        **measured,
        "groups": {name: one.as_json() for name, one in rows.groups.items()},
        "compared": {**rows.compared(), "previous": PREVIOUS},
    }


def _with_groups(files: factory.Files) -> None:
    """Put the rows of the pack into two groups."""
    evaluation = _json(files[layout.EVALUATION])
    evaluation |= {"format": "kolm-eval/3", "metric_options": {}, "row_keys": ["group"]}
    files[layout.EVALUATION] = canonical_json.dumps(evaluation)
    files[layout.PACK] = factory.jsonl(
        [
            {**line, "group": "odd" if place % 2 else "even"}
            for place, line in enumerate(factory.lines_of(files, layout.PACK))
        ]
    )


def _bytes(data: Path | bytes) -> bytes:
    assert isinstance(data, bytes)
    return data


def kolm_version() -> str:
    from kolm_cli import __version__

    return __version__


def _pictures(files: factory.Files, dataset: dict[str, Any]) -> dict[str, list[list[Any]]]:
    """How each image of each row was shown."""
    picture = {"pixels": "5" * 64, "size": [640, 480], "shown": [644, 476], "tokens": 391}
    pack = [json.loads(line) for line in _bytes(files[layout.PACK]).splitlines()]
    asked = {**picture, "pixels": "6" * 64}
    return {
        "train": [[picture]] * dataset["train"]["rows"],
        "eval": [[asked] * len(row["images"]) for row in pack],
    }


def _stages(files: factory.Files, receipt: dict[str, Any]) -> dict[str, Any]:
    dataset = _json(files[layout.DATASET])
    pairs = [
        {
            "sha256": pair_digest(i),
            "source": "proxy",
            "review": "accepted" if i else "pending",
            "reviewer": "ada" if i else "",
        }
        for i in range(5)
    ]
    trained, scored = receipt["vlm_train"]["evidence"], receipt["evaluation"]
    return {
        "capture": {
            "namespace": "tiny-chart",
            "split": "train",
            "pairs": 5,
            "accepted": 4,
            "accepted_by": ["ada"],
            "provenance": pairs,
            "provenance_sha256": digests.sha256_json(pairs),
        },
        "dataset": {
            split: {
                **{key: dataset[split][key] for key in ("rows", "sha256")},
                "pictures": shown,
                "pictures_sha256": digests.sha256_json(shown),
            }
            for split, shown in _pictures(files, dataset).items()
        },
        "train": {
            "base": factory.BASE.model,
            "dataset_sha256": dataset["train"]["sha256"],
            "optimizer_steps": trained["optimizer_steps"],
            "frozen_digests": trained["frozen_digests_after"],
        },
        "evaluate": {
            "metric": scored["metric"],
            "pack_sha256": dataset["eval"]["sha256"],
            "accuracy": scored["accuracy"],
            "base_accuracy": scored["base_accuracy"],
            "coverage": scored["coverage"],
        },
    }


def pair_digest(number: int) -> str:
    """The digest of a captured pair."""
    return factory.digest(f"pair {number}")


def _captured(files: factory.Files) -> factory.Files:
    """The files of a bundle that was trained on captured pairs, with digests that fit."""
    rows = [
        row | {"id": f"capture:tiny-chart/{pair_digest(i)[:16]}"}
        for i, row in enumerate(factory.lines_of(files, layout.TRAIN_ROWS))
    ]
    dataset = _json(files[layout.DATASET])
    dataset["train"]["sha256"] = _rows_digest(rows)
    pack = factory.lines_of(files, layout.PACK)
    if "sha256" in pack[0]:
        dataset["eval"]["sha256"] = _rows_digest(pack)
    return {
        **files,
        layout.TRAIN_ROWS: factory.jsonl(rows),
        layout.DATASET: canonical_json.dumps(dataset),
    }


def _rows_digest(rows: list[dict[str, Any]]) -> str:
    return digests.sha256_json([[row["id"], row["sha256"]] for row in rows])


def _json(data: Any) -> Any:
    return json.loads(data)


def full_bundle(
    path: Path,
    signer: keys.Signer,
    claim: str = "",
    edit: Edit = lambda value: value,
    *,
    include: str = "answers",
    files: Callable[[factory.Files], None] = lambda files: None,
) -> None:
    """Write a bundle that makes every claim, signed by `signer`.

    Args:
        path: where it goes.
        signer: who signs it.
        claim: the dotted name of a claim, as the table of equations has it.
        edit: what is claimed instead, from what would be true.
        include: what of the pack the bundle holds.
        files: changes its files; the claims are made of what it leaves.
    """
    content_files = _captured(factory.make_files(include=include))
    if include == "answers":
        _with_groups(content_files)
    files(content_files)
    document, _, name = claim.partition(".")
    spec = _spec(content_files)
    if document == "spec":
        change(spec, name, edit)
    content_files[layout.SPEC] = yaml.safe_dump(spec).encode()
    receipt = _receipt(content_files)
    stages = _stages(content_files, receipt)
    # No two claims share a value, so that one can be changed alone.
    receipt, stages = json.loads(json.dumps([receipt, stages]))
    if document == "receipt" and name:
        change(receipt, name, edit)
    if document == "stage":
        change(stages, name, edit)
    content = replace(
        factory.make_content(content_files),
        receipt=receipt,
        stages=[Stage(stage, facts) for stage, facts in stages.items()],
    )
    build_bundle(content, signer, path)
    if document == "run":
        _change_run(path, signer, name, edit)


def _change_run(path: Path, signer: keys.Signer, name: str, edit: Edit) -> None:
    """Change what only the receipt's statement holds, and sign it again."""
    written = files_of(path)
    statement = json.loads(payload_of(written[layout.RECEIPT]))
    change(statement["predicate"], f"runDetails.{name}", edit)
    written[layout.RECEIPT] = envelope(canonical_json.dumps(statement), signer)
    path.write_bytes(pack(written))


def statements_of(path: Path) -> Statements:
    with path.open("rb") as stream:
        return Statements(Case(read_contents(stream), TrustPolicy(), factory.FINISHED))


def failed(path: Path, signer: keys.Signer) -> tuple[Report, dict[str, str]]:
    """The verdict of somebody who trusts the signer, and the checks that failed."""
    report = verify(path, factory.trusting(signer))
    return report, {check.name: check.detail for check in report.failed}
