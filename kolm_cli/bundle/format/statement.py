"""What is signed: in-toto statements, one a stage; the last is the SLSA provenance receipt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.manifest import Manifest
from kolm_cli.core import canonical_json, digests

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PROVENANCE_TYPE = "https://slsa.dev/provenance/v1"
STAGE_TYPE = "urn:kolm:stage:1"
BUILD_TYPE = "urn:kolm:build:vlm-adapter:1"
BUILDER_ID = "urn:kolm:builder:kolm-cli"
MAX_PAYLOAD_BYTES = 3 * layout.MIB

# The files that a stage vouches for: the prefix of their paths.
_MADE_BY = {
    "dataset": ("data/",),
    "train": ("adapter/", "processor/", layout.MODULES),
    "evaluate": ("eval/",),
}


@dataclass(frozen=True)
class Stage:
    """What is to be said of one stage.

    Attributes:
        name: one of `layout.STAGES` but the last.
        facts: JSON values: what went in, what came out.
    """

    name: str
    facts: Mapping[str, Any]


def stage_subjects(
    stage: str, manifest: Manifest, facts: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The files that a stage's statement is about.

    A capture leaves no file in the bundle: its statement is about its own facts.
    """
    if stage == "capture":
        return [{"name": "capture", "digest": {"sha256": digests.sha256_json(facts)}}]
    return [
        {"name": path, "digest": {"sha256": record.sha256}}
        for path, record in sorted(manifest.files.items(), key=lambda i: layout.sort_key(i[0]))
        if path.startswith(_MADE_BY[stage])
    ]


def stage_statement(
    stage: str, manifest: Manifest, facts: Mapping[str, Any], previous: Mapping[str, str] | None
) -> bytes:
    """The payload of a stage's statement, which names the payload before it.

    Args:
        stage: its name.
        manifest: lists the files that it made.
        facts: what it has to say.
        previous: `{"stage", "sha256"}` of the payload before; None for the first.
    """
    return canonical_json.dumps(
        {
            "_type": STATEMENT_TYPE,
            "subject": stage_subjects(stage, manifest, facts),
            "predicateType": STAGE_TYPE,
            "predicate": {
                "stage": stage,
                "name": manifest.name,
                "previous": None if previous is None else dict(previous),
                "facts": dict(facts),
            },
        }
    )


@dataclass(frozen=True)
class Run:
    """When and by which program version a bundle was made."""

    started: datetime
    finished: datetime
    version: str


def chain_block(links: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """What the receipt says of the chain: where it starts, and every payload before it."""
    starts_at = links[0]["stage"]
    block: dict[str, Any] = {"starts_at": starts_at, "stages": [dict(link) for link in links]}
    if starts_at != "capture":
        block["why"] = "the training data did not come from a capture"
    return block


def receipt_statement(
    manifest: Manifest,
    facts: Mapping[str, Any],
    links: Sequence[Mapping[str, str]],
    run: Run,
) -> bytes:
    """The payload of the receipt: SLSA provenance v1 about `manifest.json`."""
    return canonical_json.dumps(
        {
            "_type": STATEMENT_TYPE,
            "subject": [receipt_subject(manifest)],
            "predicateType": PROVENANCE_TYPE,
            "predicate": {
                "buildDefinition": {
                    **provenance_parts(manifest),
                    "internalParameters": {**facts, "chain": chain_block(links)},
                },
                "runDetails": {
                    "builder": {"id": BUILDER_ID, "version": {"kolm-cli": run.version}},
                    "metadata": {
                        "startedOn": timestamp(run.started),
                        "finishedOn": timestamp(run.finished),
                    },
                },
            },
        }
    )


def provenance_parts(manifest: Manifest) -> dict[str, Any]:
    """What of the build definition follows from the manifest alone."""
    weights = [
        {"name": f"base/{name}", "digest": {"sha256": digest}}
        for name, digest in sorted(manifest.base.weights.items())
    ]
    data = [
        {"name": path, "digest": {"sha256": manifest.files[path].sha256}}
        for path in (layout.DATASET, layout.TRAIN_ROWS)
    ]
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": {
            "name": manifest.name,
            "base": {"model": manifest.base.model, "revision": manifest.base.revision},
            "spec": {"path": layout.SPEC, "sha256": manifest.files[layout.SPEC].sha256},
        },
        "resolvedDependencies": weights + data,
    }


def receipt_subject(manifest: Manifest) -> dict[str, Any]:
    """`subject[0]` of the receipt: the bytes that the CID names."""
    return {
        "name": layout.MANIFEST,
        "digest": {"sha256": digests.sha256_bytes(manifest.to_bytes())},
    }


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds.

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone is not a moment")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
