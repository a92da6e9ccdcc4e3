"""Earlier results, found by the digest of their inputs; their bundles are in the registry."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kolm_cli.bundle.checks.base import Case
from kolm_cli.bundle.contents import BundleContents
from kolm_cli.bundle.trust.policy import TrustedKey, TrustPolicy
from kolm_cli.core.errors import InputError, VerificationError
from kolm_cli.core.files import read_regular, write_atomic
from kolm_cli.core.home import home_path, private_folder
from kolm_cli.core.progress import Progress
from kolm_cli.pipeline.bundling import Bundled
from kolm_cli.pipeline.earlier import Earlier
from kolm_cli.registry.assemble import assemble, staged, verified
from kolm_cli.registry.names import Pinned, Tag
from kolm_cli.registry.pull import held
from kolm_cli.registry.store import Registry

_MAX_ENTRY = 256 << 20
_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


def place_of(target: Path, passed: bool) -> Path:
    """Where a bundle goes: one that missed its gate never takes the place of one that is in use."""
    if passed:
        return target
    stem = target.name.removesuffix(".kolm")
    return target.with_name(f"{stem}.rejected{target.name[len(stem) :]}")


def find(key: str, signer: str, target: Path, against: Earlier | None = None) -> Bundled | None:
    """Put the bundle of the same inputs where `place_of` says, and return its report.

    It is verified on its way out of the registry, and has to be what the report is about. None
    when there is no such result, when its bundle was removed or damaged since, or when it was
    compared with another bundle than `against`: compiling then makes it anew, from the same
    answers where they are still there.

    Args:
        key: names the inputs.
        signer: the id of the key that signed it.
        target: where a bundle goes that met its gate.
        against: the bundle that the gate compares with.
    """
    try:
        entry = json.loads(read_regular(_entry(key), _MAX_ENTRY))
        report, image = entry["report"], Pinned(entry["name"], entry["image"])
        if "doubts" not in report:
            return None  # an earlier kolm kept it, and did not report what is printed now
        place = place_of(target, report["gate"]["passed"] is True)
        if against is not None and not against.holds(report):
            return None
        registry = Registry()
        registry.resolve(image)
    except (*_MALFORMED, OSError, InputError, VerificationError):
        # A damaged or outlived entry is no result; compiling writes it anew.
        return None
    try:
        with held(registry, image) as (stored, whole), staged(place) as stream:
            assemble(whole, registry.blobs, stream)
            trust = TrustPolicy((TrustedKey(signer, ("*",)),))
            _, contents = verified(stream, place, trust, stored.cid, allow_untrusted=False)
            _check(report, contents, image.name)
    except VerificationError:
        return None
    latest = _latest(image.name, report)
    if latest is not None:
        registry.tag(image, latest)
    return Bundled(place, dict(report))


def _check(report: dict[str, Any], contents: BundleContents, name: str) -> None:
    """Refuse a report of another bundle: what it says of the gate decides where the bundle goes.

    Raises:
        VerificationError: it is one.
    """
    case = Case(contents, TrustPolicy(), datetime.now(UTC))
    gate = case.claimed_evaluation.get("gate")
    said = [report.get("cid"), report.get("receipt"), report["gate"]["passed"], name]
    passed = gate.get("passed") if isinstance(gate, dict) else None
    there = [contents.cid, case.attestations.receipt_statement, passed, contents.manifest.name]
    if said != there:
        raise VerificationError("the result is not that of its bundle")


def keep(key: str, name: str, bundle: Path, report: dict[str, Any], progress: Progress) -> None:
    """Remember a result: its bundle first, the entry that points to it last.

    Raises:
        VerificationError: the registry is damaged.
        LackingError: there is no room for it.
    """
    stored = Registry().push(bundle, _latest(name, report), progress).entry
    private_folder("results")
    content = {"name": name, "image": stored.digest, "report": report}
    entry = _entry(key)
    if not entry.is_file():  # a pipe would be taken for a place that somebody reads from
        entry.unlink(missing_ok=True)
    write_atomic(entry, json.dumps(content).encode(), mode=0o600)


def _entry(key: str) -> Path:
    return home_path() / "results" / f"{key}.json"


def _latest(name: str, report: dict[str, Any]) -> Tag | None:
    """`NAME:latest` is the last compile that met its gate; the others are found by their CID."""
    return Tag(name, "latest") if report["gate"]["passed"] else None
