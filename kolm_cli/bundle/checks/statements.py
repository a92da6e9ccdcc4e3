"""Everything that a bundle says of itself, by dotted name, beside what can be seen in it.

`receipt` is `internalParameters`, `run` is `runDetails`; `stage.NAME` are a stage's facts; `spec`,
`evaluation` and `data` are `spec.yaml`, `eval/evaluation.json` and `data/dataset.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kolm_cli.bundle.checks.base import Case
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.dataset import read_dataset
from kolm_cli.bundle.format.modules import ModuleLists
from kolm_cli.bundle.format.spec_file import read_spec
from kolm_cli.bundle.signing.attestations import read_statement


class _Unsaid:
    """What stands for a statement that is not made."""

    def __repr__(self) -> str:
        return "nothing"


UNSAID = _Unsaid()


@dataclass
class Statements:
    """What is said, and what is there.

    Attributes:
        case: the bundle that is verified.
    """

    case: Case

    @cached_property
    def documents(self) -> dict[str, Any]:
        """The documents that say something, by the first part of a name."""
        case, contents = self.case, self.case.contents
        dataset = read_dataset(contents.content(layout.DATASET))
        base = case.manifest.base
        return {
            "manifest": {
                "name": case.manifest.name,
                "base": {"model": base.model, "revision": base.revision},
            },
            **signed(case),
            "spec": read_spec(contents.content(layout.SPEC)),
            "evaluation": case.evaluation.settings.as_json(),
            "data": {"train": vars(dataset.train), "eval": vars(dataset.eval)},
        }

    @property
    def modules(self) -> ModuleLists:
        """`modules.json`."""
        return self.case.modules

    @property
    def whole(self) -> bool:
        """Whether `spec.yaml` is a whole spec: the first bundles hold the beginning of one."""
        return bool(self.documents["spec"].keys() - {"kolm", "name"})

    @property
    def train_rows(self) -> int:
        """How many lines `data/train.jsonl` has."""
        return self.case.contents.train.rows

    @property
    def images_of_rows(self) -> list[int]:
        """How many images each line of `data/train.jsonl` names."""
        return list(self.case.contents.train.image_counts)

    def said(self, name: str) -> Any:
        """The value at a dotted name, `UNSAID` when there is none."""
        value: Any = self.documents
        for step in name.split("."):
            if not isinstance(value, dict) or step not in value:
                return UNSAID
            value = value[step]
        return value

    def names(self, *documents: str) -> Iterator[str]:
        """The name of every single value in these documents; a list is one value."""
        for document in documents:
            yield from _leaves(document, self.documents[document])


def signed(case: Case) -> dict[str, Any]:
    """The documents that are in the signed statements themselves."""
    predicate = case.attestations.receipt_statement.get("predicate")
    return {
        "receipt": case.receipt,
        "run": predicate.get("runDetails") if isinstance(predicate, dict) else None,
        "stage": {
            stage: _facts(read_statement(envelope))
            for stage, envelope in case.attestations.stages.items()
            if stage != "bundle"
        },
    }


def _facts(statement: dict[str, Any]) -> Any:
    predicate = statement.get("predicate")
    return predicate.get("facts") if isinstance(predicate, dict) else None


def _leaves(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(f"{name}.{key}", item)
    else:
        yield name
