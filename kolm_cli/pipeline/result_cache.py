"""Earlier results, found by the digest of their inputs; their bundles are in the registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import InputError, VerificationError
from kolm_cli.core.files import write_atomic
from kolm_cli.core.home import home_path, private_folder
from kolm_cli.core.progress import Progress
from kolm_cli.pipeline.bundling import Bundled
from kolm_cli.pipeline.earlier import Earlier
from kolm_cli.registry.names import Pinned, Tag
from kolm_cli.registry.pull import deliver
from kolm_cli.registry.store import Registry


def place_of(target: Path, passed: bool) -> Path:
    """Where a bundle goes: one that missed its gate never takes the place of one that is in use."""
    if passed:
        return target
    stem = target.name.removesuffix(".kolm")
    return target.with_name(f"{stem}.rejected{target.name[len(stem) :]}")


def find(key: str, target: Path, against: Earlier | None = None) -> Bundled | None:
    """Put the bundle of the same inputs where `place_of` says, and return its report.

    Every byte is checked on its way out of the registry. None when there is no such result, when
    its bundle was removed or damaged since, or when it was compared with another bundle than
    `against`: compiling then makes it anew, from the same answers where they are still there.
    """
    try:
        entry = json.loads(_entry(key).read_bytes())
        report, image = entry["report"], Pinned(entry["name"], entry["image"])
        if "doubts" not in report:
            return None  # an earlier kolm kept it, and did not report what is printed now
        if against is not None and not against.holds(report):
            return None
        registry = Registry()
        registry.resolve(image)
    except (OSError, ValueError, KeyError, TypeError, InputError, VerificationError):
        # A damaged or outlived entry is no result; compiling writes it anew.
        return None
    try:
        place = place_of(target, report["gate"]["passed"])
        deliver(registry, image, place)
    except VerificationError:
        return None
    latest = _latest(image.name, report)
    if latest is not None:
        registry.tag(image, latest)
    return Bundled(place, dict(report))


def keep(key: str, name: str, bundle: Path, report: dict[str, Any], progress: Progress) -> None:
    """Remember a result: its bundle first, the entry that points to it last.

    Raises:
        VerificationError: the registry is damaged.
        LackingError: there is no room for it.
    """
    stored = Registry().push(bundle, _latest(name, report), progress).entry
    private_folder("results")
    content = {"name": name, "image": stored.digest, "report": report}
    write_atomic(_entry(key), json.dumps(content).encode(), mode=0o600)


def _entry(key: str) -> Path:
    return home_path() / "results" / f"{key}.json"


def _latest(name: str, report: dict[str, Any]) -> Tag | None:
    """`NAME:latest` is the last compile that met its gate; the others are found by their CID."""
    return Tag(name, "latest") if report["gate"]["passed"] else None
