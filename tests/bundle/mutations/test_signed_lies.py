"""A search for lies: each value that a bundle states is changed, and signed by a trusted key.

Verification refuses it, or the format says of the claim that nothing could contradict it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kolm_cli.bundle.checks.claims import STAND_ALONE
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.signing import keys
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import InputError
from tests.bundle.claims import failed, full_bundle, statements_of
from tests.bundle.forge import files_of
from tests.bundle.rebuilt import rebuilt

Way = tuple[str | int, ...]
FILES = {
    "evaluation": layout.EVALUATION,
    "data": layout.DATASET,
    "modules": layout.MODULES,
    "adapter": layout.ADAPTER_CONFIG,
}
LINES = {
    "pack": layout.PACK,
    "predictions": layout.PREDICTIONS,
    "base_predictions": layout.BASE_PREDICTIONS,
    "train": layout.TRAIN_ROWS,
}
# What the end of section 7 says of the files, and of claims that can be compared sometimes only.
IN_FILES = (
    r"modules\.frozen\.\d+\.dtype",
    r"(pack|train)\.\d+\.images\.\d+",
    r"(base_)?predictions\.\d+\.prediction",
    r"pack\.\d+\.answers\.\d+",
    r"spec\.base\.revision",
    r"receipt\.vlm_train\.chat_template_sha256",
    r"manifest\.base\.weights\..*",
    r"receipt\.evaluation\.(latency|compared\.previous)(\..*)?",
)
WITH_DIGESTS = (
    r"receipt\.evaluation\.base_accuracy",
    r"receipt\.evaluation\.k_score\.accuracy_ci95\.\d",
    r"pack\.\d+\.group",
)


def ways(value: Any, way: Way = ()) -> Iterator[Way]:
    """The way to every single value; of long lists, to the first and the last."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from ways(item, (*way, key))
    elif isinstance(value, list) and value:
        for index in dict.fromkeys((0, len(value) - 1)):
            yield from ways(value[index], (*way, index))
    elif way:
        yield way


def lies(value: Any) -> Iterator[Any]:
    """Plausible values of the same kind."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, 0 if value else 2)
    elif isinstance(value, float):
        yield from (round(value / 2 + 0.01, 4), 1.0 if value != 1 else 0.5)
    elif isinstance(value, str):
        hexadecimal = len(value) >= 40 and not set(value) - set("0123456789abcdef")
        yield ("0" if value[0] != "0" else "1") + value[1:] if hexadecimal else f"{value}x"
        yield "none" if value != "none" else "all"
    elif value is None:
        yield from (1, "x")
    elif isinstance(value, list):
        yield ["x"]
    elif isinstance(value, dict):
        yield {"x": 1}


def at(document: Any, way: Way) -> Any:
    for step in way:
        document = document[step]
    return document


def put(document: Any, way: Way, value: Any) -> None:
    at(document, way[:-1])[way[-1]] = value


class Liar:
    """A good bundle that says everything, and others that differ in one value."""

    def __init__(self, folder: Path, include: str) -> None:
        self.signer = keys.generate("ed25519")
        self.include, self.good, self.path = include, folder / "good.kolm", folder / "lie.kolm"
        full_bundle(self.good, self.signer, include=include)
        self.files = files_of(self.good)
        documents = statements_of(self.good).documents
        self.documents = {name: documents[name] for name in ("receipt", "run", "stage", "spec")}
        self.documents = json.loads(json.dumps(self.documents))
        del self.documents["receipt"]["chain"]
        self.documents["manifest"] = json.loads(self.files[layout.MANIFEST])
        # Its list of files is checked against the files, and there is one format.
        for key in ("files", "format"):
            del self.documents["manifest"][key]
        for name, path in FILES.items():
            self.documents[name] = json.loads(self.files[path])
        for name, path in LINES.items():
            # With digests there are no predictions.
            lines = self.files.get(path, b"").splitlines()
            self.documents[name] = [json.loads(line) for line in lines]

    def write(self, document: str, way: Way, value: Any) -> None:
        """The bundle with another value in one place."""
        changed = json.loads(json.dumps(self.documents[document]))
        put(changed, way, value)
        if document in ("receipt", "stage", "run"):
            claim, whole = f"{document}.{way[0]}", changed[way[0]]
            full_bundle(self.path, self.signer, claim, lambda _: whole, include=self.include)
            return
        if document == "manifest":
            edit: Callable[[Any], Any] = lambda m: put(m, way, value)  # noqa: E731
            rebuilt(self.good, self.path, self.signer, {}, manifest=edit)
            return
        if document == "spec":
            files = {layout.SPEC: yaml.safe_dump(changed).encode()}
        elif document in LINES:
            lines = (canonical_json.dumps(line) + b"\n" for line in changed)
            files = {LINES[document]: b"".join(lines)}
        else:
            files = {FILES[document]: canonical_json.dumps(changed)}
        rebuilt(self.good, self.path, self.signer, files)

    def stands_alone(self, name: str) -> bool:
        """Whether the format says that nothing could contradict it."""
        forms = IN_FILES + (WITH_DIGESTS if self.include == "digests" else ())
        return any(name == claim or name.startswith(f"{claim}.") for claim in STAND_ALONE) or any(
            re.fullmatch(form, name) for form in forms
        )

    def search(self, document: str) -> Iterator[str]:
        """The lies that verification takes."""
        for way in ways(self.documents[document]):
            name = ".".join((document, *(str(step) for step in way)))
            if self.stands_alone(name):
                continue
            for value in lies(at(self.documents[document], way)):
                try:
                    self.write(document, way, value)
                except InputError:
                    continue  # kolm's own writer refuses it
                report, _ = failed(self.path, self.signer)
                if report.state != "invalid":
                    yield f"{name} = {value!r}"


@pytest.fixture(scope="module", params=["answers", "digests"])
def liar(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Liar:
    return Liar(tmp_path_factory.mktemp("lies"), request.param)


@pytest.mark.parametrize(
    "document", ["receipt", "run", "stage", "spec", "manifest", *FILES, *LINES]
)
def test_no_lie_is_taken(liar: Liar, document: str) -> None:
    assert list(liar.search(document)) == []


def test_another_template_is_said_to_be_one(liar: Liar) -> None:
    liar.write("receipt", ("vlm_train", "chat_template_sha256"), "0" * 64)
    checks = {check.name: check.detail for check in failed(liar.path, liar.signer)[0].checks}
    assert checks["template"].startswith("DIFFERS")
