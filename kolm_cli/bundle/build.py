"""Builds and signs a bundle: the one place where a `.kolm` file comes into being."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from kolm_cli.bundle.container.zip_writer import Measured, Source, measure, write_archive
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.manifest import BaseIdentity, FileRecord, Manifest, checked_bytes
from kolm_cli.bundle.format.statement import Run, Stage, receipt_statement, stage_statement
from kolm_cli.bundle.signing.keys import Signer
from kolm_cli.bundle.signing.model_signature import model_hint, model_payload
from kolm_cli.bundle.signing.sigstore import Envelope
from kolm_cli.core import canonical_json, digests
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.versions import own_version

__all__ = ["BaseIdentity", "Built", "Content", "Stage", "build_bundle", "sign_content"]


@dataclass(frozen=True)
class Content:
    """What goes into a bundle.

    Attributes:
        name: the bundle's name.
        base: the base model.
        files: path in the bundle to a file or bytes: all but the manifest and the attestations.
        receipt: JSON facts for the receipt: `vlm_train`, `evaluation`, `environment`, ...
        stages: what is to be said of capture, dataset, train and evaluate, in that order. A
            stage without an entry is attested by its files alone; capture is then left out.
        started: when the compile began, with a time zone.
        finished: when it ended.
    """

    name: str
    base: BaseIdentity
    files: Mapping[str, Source]
    receipt: Mapping[str, Any]
    stages: Sequence[Stage]
    started: datetime
    finished: datetime


@dataclass(frozen=True)
class Built:
    """A bundle that was written.

    Attributes:
        cid: names its content.
        path: where it is.
        receipt: the receipt's statement, as JSON.
    """

    cid: str
    path: Path
    receipt: Mapping[str, Any]


def build_bundle(content: Content, signer: Signer, out: Path) -> Built:
    """Write the signed bundle, whole or not at all.

    Raises:
        InputError: a file is missing, not on the allow list, or too large; a stage is out of order.
    """
    measured = _measure(content.files)
    manifest = Manifest(
        content.name,
        content.base,
        {path: FileRecord(facts.size, facts.sha256) for path, facts in measured.items()},
    )
    data = checked_bytes(manifest)
    attestations, receipt = sign_content(content, manifest, signer)
    files: dict[str, Source] = {layout.MANIFEST: data, **content.files, **attestations}
    write_archive(out, files, measured)
    return Built(digests.cid(data), out, receipt)


def _measure(files: Mapping[str, Source]) -> dict[str, Measured]:
    problems = []
    wanted = {p for p in layout.required_paths() if layout.is_attested(p)}
    for path in sorted(wanted - set(files)):
        problems.append(Problem("every bundle has this file", path))
    for path, source in files.items():
        if not layout.is_attested(path) or layout.kind_of(path) is None:
            problems.append(Problem("is not a file that a bundle may hold", path))
        elif isinstance(source, Path) and not source.is_file():
            problems.append(Problem(f"{source} is not a file", path))
    if problems:
        raise InputError(*problems)
    return {path: measure(source) for path, source in files.items()}


def sign_content(
    content: Content, manifest: Manifest, signer: Signer
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The attestations of a bundle, by path, and the receipt's statement."""
    facts = {stage.name: stage.facts for stage in content.stages}
    given = [stage.name for stage in content.stages]
    if given != [name for name in layout.STAGES[:-1] if name in facts]:
        raise InputError(Problem(f"the stages {', '.join(given)} are not in order"))
    files = {layout.key_path(signer.key_id): signer.public_pem}
    links: list[dict[str, str]] = []
    for stage in layout.STAGES[:-1]:
        if stage == "capture" and stage not in facts:
            continue
        previous = links[-1] if links else None
        payload = stage_statement(stage, manifest, facts.get(stage, {}), previous)
        files[layout.stage_path(stage)] = _envelope(payload, signer)
        links.append({"stage": stage, "sha256": digests.sha256_bytes(payload)})
    run = Run(content.started, content.finished, own_version)
    payload = receipt_statement(manifest, content.receipt, links, run)
    files[layout.RECEIPT] = _envelope(payload, signer)
    if isinstance(signer.public, ec.EllipticCurvePublicKey):
        files[layout.MODEL_SIGNATURE] = _model_signature(manifest, signer)
    receipt = canonical_json.loads(payload, max_bytes=len(payload))
    return files, receipt


def _envelope(payload: bytes, signer: Signer) -> bytes:
    key_id = signer.key_id
    return Envelope(payload, signer.sign(payload), key_id, hint=key_id).to_bytes()


def _model_signature(manifest: Manifest, signer: Signer) -> bytes:
    payload = model_payload(manifest.name, content_digests(manifest))
    hint = model_hint(signer.public_pem)
    return Envelope(payload, signer.sign(payload), signer.key_id, hint=hint).to_bytes()


def content_digests(manifest: Manifest) -> dict[str, str]:
    """Path to hex SHA-256 of every file but the attestations."""
    own = {layout.MANIFEST: digests.sha256_bytes(manifest.to_bytes())}
    return own | {path: record.sha256 for path, record in manifest.files.items()}
