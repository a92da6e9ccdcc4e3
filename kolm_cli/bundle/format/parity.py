"""A parity statement: that a server answered the evaluation pack as the bundle did.

It is made after the bundle, by whoever asked the server, and changes no CID. What of it follows
from the bundle's own files is recomputed when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.json_lines import SHA256
from kolm_cli.bundle.format.manifest import Manifest
from kolm_cli.bundle.format.statement import STATEMENT_TYPE, receipt_subject, timestamp
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import VerificationError
from kolm_cli.scoring.comparison import weighted_mean

PARITY_TYPE = "urn:kolm:parity:1"
CHECKS = ("base", "picture", "template")
PLACES = 4
# Of a server's own words.
MAX_WORDS = 200

_KEYS = {"accuracy", "agreement", "checks", "differ", "export", "measured", "name", "previous"}
_KEYS |= {"server", "version"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@dataclass(frozen=True)
class Parity:
    """What was found.

    Attributes:
        server: the program.
        version: of the program; may be empty.
        model: what was asked.
        export: the format of the export that was served and the digest of its
            `kolm-export.json`; None when none was named.
        rows: how many rows were asked: all of the pack.
        asked_for: the least share of equal answers.
        differ: id and answer of the rows that the server answered otherwise, in the pack's order.
        accuracy: of the bundle's answers and of the server's, rounded.
        checks: for each of `CHECKS`, whether it held; None where it could not be made.
        measured: when.
        kolm: the version of kolm that measured it.
    """

    server: str
    version: str
    model: str
    export: tuple[str, str] | None
    rows: int
    asked_for: float
    differ: Sequence[tuple[str, str | None]]
    accuracy: tuple[float, float]
    checks: Mapping[str, bool | None]
    measured: str
    kolm: str

    @property
    def equal(self) -> int:
        """How many answers are the bundle's."""
        return self.rows - len(self.differ)

    @property
    def program(self) -> str:
        """The server and its version."""
        return f"{self.server} {self.version}".rstrip()

    def statement(self, manifest: Manifest, receipt_sha256: str) -> bytes:
        """The payload to sign.

        Args:
            manifest: the bundle's.
            receipt_sha256: the digest of the receipt's payload, after which it comes.
        """
        export = self.export and {"sha256": self.export[1], "to": self.export[0]}
        return canonical_json.dumps(
            {
                "_type": STATEMENT_TYPE,
                "subject": [receipt_subject(manifest)],
                "predicateType": PARITY_TYPE,
                "predicate": {
                    "accuracy": {"bundle": self.accuracy[0], "server": self.accuracy[1]},
                    "agreement": {
                        "asked_for": self.asked_for,
                        "equal": self.equal,
                        "rows": self.rows,
                    },
                    "checks": dict(self.checks),
                    "differ": [{"id": row, "prediction": said} for row, said in self.differ],
                    "export": export,
                    "measured": self.measured,
                    "name": manifest.name,
                    "previous": {"sha256": receipt_sha256, "stage": "bundle"},
                    "server": {"model": self.model, "name": self.server, "version": self.version},
                    "version": {"kolm-cli": self.kolm},
                },
            }
        )


def moment(now: datetime) -> str:
    """When something was measured, as the statement has it."""
    return timestamp(now)


def linked(statement: Mapping[str, Any], manifest: Manifest, receipt_sha256: str) -> dict[str, Any]:
    """The predicate of a statement that must be about this bundle and its receipt.

    Raises:
        VerificationError: it is another statement, or about another bundle.
    """
    predicate = statement.get("predicate")
    if (
        set(statement) != {"_type", "subject", "predicateType", "predicate"}
        or statement["_type"] != STATEMENT_TYPE
        or statement["predicateType"] != PARITY_TYPE
        or not isinstance(predicate, dict)
    ):
        raise VerificationError("parity: not a parity statement")
    if predicate.get("name") != manifest.name or statement["subject"] != [
        receipt_subject(manifest)
    ]:
        raise VerificationError("parity: the statement is about another bundle")
    if predicate.get("previous") != {"sha256": receipt_sha256, "stage": "bundle"}:
        raise VerificationError("parity: the statement does not name the receipt")
    return predicate


def read_parity(predicate: Mapping[str, Any]) -> Parity:
    """Read the predicate of a parity statement.

    Raises:
        VerificationError: it is of another form.
    """
    if set(predicate) != _KEYS:
        raise VerificationError("not the predicate of a parity statement")
    export = predicate["export"]
    accuracy = _fields(predicate["accuracy"], bundle=_share, server=_share)
    agreement = _fields(predicate["agreement"], asked_for=_share, equal=_count, rows=_count)
    server = _fields(predicate["server"], model=_words, name=_words, version=_words)
    checks = _fields(predicate["checks"], **dict.fromkeys(CHECKS, _held))
    if export is not None:
        export = _fields(export, sha256=_digest, to=_words)
    differ = predicate["differ"]
    if not isinstance(differ, list) or not _time(predicate["measured"]):
        raise VerificationError("differ or measured is not one")
    rows = [_fields(row, id=_text, prediction=_answer) for row in differ]
    version = _fields(predicate["version"], **{"kolm-cli": _words})
    if agreement["equal"] + len(rows) != agreement["rows"]:
        raise VerificationError("the rows that are equal and those that differ are not all")
    return Parity(
        server=server["name"],
        version=server["version"],
        model=server["model"],
        export=None if export is None else (export["to"], export["sha256"]),
        rows=agreement["rows"],
        asked_for=agreement["asked_for"],
        differ=[(row["id"], row["prediction"]) for row in rows],
        accuracy=(accuracy["bundle"], accuracy["server"]),
        checks=checks,
        measured=predicate["measured"],
        kolm=version["kolm-cli"],
    )


def _fields(value: Any, **kinds: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(kinds):
        raise VerificationError(f"the statement has no {', '.join(sorted(kinds))}")
    for name, fits in kinds.items():
        if not fits(value[name]):
            raise VerificationError(f"{name} is {value[name]!r:.40}")
    return value


def _share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _words(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_WORDS and value.isprintable()


def _answer(value: Any) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= layout.MAX_TEXT)


def _digest(value: Any) -> bool:
    return isinstance(value, str) and SHA256.fullmatch(value) is not None


def _held(value: Any) -> bool:
    return value is True or value is None


def _time(value: Any) -> bool:
    return isinstance(value, str) and _TIME.fullmatch(value) is not None


def mean(scores: Sequence[float], weights: Sequence[float] | None) -> float:
    """An accuracy as the statement has it."""
    return round(weighted_mean(scores, weights), PLACES)
