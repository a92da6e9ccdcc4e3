"""The receipt of a bundle, verified and put into words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kolm_cli.bundle.checks.base import Case
from kolm_cli.bundle.container.unpack import require
from kolm_cli.bundle.container.zip_reader import open_file
from kolm_cli.bundle.contents import read_contents
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.manifest import Manifest
from kolm_cli.bundle.format.parity import Parity
from kolm_cli.bundle.plan_kept import beside
from kolm_cli.bundle.signing.attestations import read_statement
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.bundle.verify import judge
from kolm_cli.core import digests
from kolm_cli.core.printable import one_line

Line = tuple[str, str | list[str]]
# Of the environment, what is shown as the plan and what came of it.
_BESIDE = ("planned", "seconds_a_step", "peak_bytes")
_BESIDE_NAMES = {"seconds_a_step": "a step", "bytes": "memory, at most"}
# Longer lists of captured pairs are shown by their length and digest.
SHORT_LIST = 5


@dataclass(frozen=True)
class Receipt:
    """What a bundle's receipt says; its signature holds, whoever made it.

    Attributes:
        cid: the bundle's CID.
        manifest: the manifest that it is about.
        manifest_sha256: the digest of the manifest's bytes.
        statement: the signed statement.
        signers: key ids of everybody who signed it.
        pack: names the rows that it was scored on.
        capture: the facts of the capture stage, None when there was none.
        parity: what was found of servers, each with the id of the key that signed it.
    """

    cid: str
    manifest: Manifest
    manifest_sha256: str
    statement: Mapping[str, Any]
    signers: tuple[str, ...]
    pack: str
    capture: Mapping[str, Any] | None
    parity: Sequence[tuple[Parity, str]] = ()

    @property
    def facts(self) -> Mapping[str, Any]:
        """`internalParameters`: `vlm_train`, `evaluation`, `environment`, `chain`."""
        facts: Mapping[str, Any] = self.statement["predicate"]["buildDefinition"][
            "internalParameters"
        ]
        return facts

    def sums(self) -> str:
        """Lines for `sha256sum -c` over everything that the CID covers."""
        lines = [f"{self.manifest_sha256}  {layout.MANIFEST}"]
        lines += [f"{record.sha256}  {path}" for path, record in self.manifest.files.items()]
        return "\n".join(lines) + "\n"

    def lines(self, *, full: bool = False) -> list[str]:
        """The receipt for a reader.

        Args:
            full: write out long lists, instead of their length and digest.
        """
        lines: list[str] = []
        for title, part in (
            ("bundle", self._bundle()),
            ("what went in", self._inputs(full=full)),
            ("what was trained", self._training()),
            ("what it scored", self._score()),
            ("how it was made", self._run()),
            *([("how it is served", self._served())] if self.parity else []),
        ):
            lines += ["", title] if lines else [title]
            lines += [line for name, value in part for line in _shown(name, value)]
        return lines

    def _bundle(self) -> Iterator[Line]:
        yield "name", self.manifest.name
        yield "cid", self.cid
        for signer in self.signers:
            yield "signed by", signer

    def _inputs(self, *, full: bool) -> Iterator[Line]:
        base = self.manifest.base
        yield "base", f"{base.model} {base.revision}".rstrip()
        for name, digest in sorted(base.weights.items()):
            yield "base weights", f"{name} sha256:{digest}"
        train = _block(self.facts, "vlm_train")
        yield "training rows", _text(train.get("train_examples"))
        yield "chain starts at", _text(_block(self.facts, "chain").get("starts_at"))
        for name, value in (self.capture or {}).items():
            yield f"capture {name}", _listed(value, full=full)

    def _training(self) -> Iterator[Line]:
        train = _block(self.facts, "vlm_train")
        for key in (
            *("family", "lora_r", "lora_alpha", "lora_targets", "projector", "freeze_vision"),
            *("projector_lora_r", "vision", "vision_lora_r"),
            *("learning_rate", "projector_learning_rate", "max_seq_length", "num_train_epochs"),
            *("coordinates", "seed", "trainable_modules", "frozen_modules", "papers"),
        ):
            if key.endswith("_modules") and isinstance(train.get(key), list):
                yield key, [_text(item) for item in train[key]]
            elif key in train:
                yield key, _text(train[key])
        evidence = _block(train, "evidence")
        for key, value in evidence.items():
            if isinstance(value, int):
                yield key, str(value)
        before, after = (evidence.get(f"frozen_digests_{when}") for when in ("before", "after"))
        if isinstance(before, dict):
            same = "the same before and after" if before == after else "CHANGED"
            for part in sorted(before):
                yield f"frozen {part}", f"{same}: {before[part]}"

    def _score(self) -> Iterator[Line]:
        evaluation = _block(self.facts, "evaluation")
        score = _block(evaluation, "k_score")
        for key in ("metric", "base_accuracy", "accuracy", "coverage", "latency_us"):
            yield key, _text(evaluation.get(key))
        for name, rows in _block(evaluation, "cut_answers").items():
            if isinstance(rows, list):
                yield f"cut {name}", f"{len(rows)} ended at max_new_tokens"
        interval = score.get("accuracy_ci95")
        if isinstance(interval, list) and len(interval) == 2:
            yield "accuracy, 95 %", f"{_text(interval[0])} to {_text(interval[1])}"
        for name, found in _block(evaluation, "compared").items():
            if isinstance(found, dict):
                yield f"against {name}", _text(found)
        for name, found in _block(evaluation, "groups").items():
            if isinstance(found, dict):
                yield f"group {name}", _text(found)
        if spread := _block(evaluation, "latency"):
            yield "latency, 95 %", _text(spread)
        axes = _block(score, "axes")
        yield (
            _text(score.get("spec")),
            f"{_text(score.get('k'))}  "
            f"({'  '.join(f'{axis} {_text(axes.get(axis))}' for axis in 'ASLCV')})",
        )
        gate = _block(evaluation, "gate")
        yield "gate", "passed" if gate.get("passed") is True else f"NOT MET {gate.get('failed')}"

    def _run(self) -> Iterator[Line]:
        details = _block(self.statement["predicate"], "runDetails")
        for key, value in _block(details, "metadata").items():
            yield key, _text(value)
        for key, value in _block(_block(details, "builder"), "version").items():
            yield key, _text(value)
        environment = _block(self.facts, "environment")
        for key, value in environment.items():
            if key not in _BESIDE:
                yield key, _text(value)
        for each in beside(environment):
            yield _BESIDE_NAMES[each.name], str(each)

    def _served(self) -> Iterator[Line]:
        for found, key_id in self.parity:
            yield "server", f"{found.program}, model {found.model}"
            if found.export is not None:
                yield "export", f"{found.export[0]} sha256:{found.export[1]}"
            yield (
                "agreement",
                f"{found.equal} of {found.rows} answers equal (asked for {found.asked_for:g})",
            )
            yield "accuracy there", _text(found.accuracy[1])
            yield "measured on", found.measured
            yield "signed by", key_id


def read_receipt(path: Path) -> Receipt:
    """The receipt of an intact bundle; whether the signer is to be trusted is not asked.

    Raises:
        InputError: there is no such file.
        VerificationError: the bundle is not intact.
    """
    with open_file(path) as stream:
        contents = read_contents(stream)
    require(judge(contents, TrustPolicy()), path, allow_untrusted=True)
    case = Case(contents, TrustPolicy(), datetime.now(UTC))
    found = case.attestations
    capture = found.stages.get("capture")
    return Receipt(
        cid=contents.manifest.cid,
        manifest=contents.manifest,
        manifest_sha256=contents.files[layout.MANIFEST].sha256,
        statement=found.receipt_statement,
        signers=(found.receipt.key_id, *(e.key_id for e in found.co_signatures.values())),
        pack=pack_digest(found.stages),
        capture=read_statement(capture)["predicate"]["facts"] if capture else None,
        parity=case.parity,
    )


def pack_digest(stages: Mapping[str, Any]) -> str:
    """Names the rows that a bundle was scored on, by the statement about its data."""
    facts = read_statement(stages["dataset"])["predicate"]["facts"]
    return str(_block(facts, "eval").get("sha256", ""))


def _shown(name: str, value: str | list[str]) -> Iterator[str]:
    """One line, or one for each item of a list."""
    for item in value if isinstance(value, list) else [value]:
        yield f"  {one_line(name):<22}  {one_line(item)}"
        name = ""


def _block(facts: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A block of facts; empty when the receipt says nothing of the kind."""
    value = facts.get(key)
    return value if isinstance(value, dict) else {}


def _listed(value: Any, *, full: bool) -> str | list[str]:
    """A value that may be a list as long as the data: an entry a line, or how many there are."""
    if not isinstance(value, list) or len(value) <= SHORT_LIST:
        return _text(value)
    if full:
        return [_text(item) for item in value]
    return f"{len(value)} entries, sha256:{digests.sha256_json(value)} (--full lists them)"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    return "-" if value is None else str(value)
