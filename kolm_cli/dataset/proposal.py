"""What a spec should say, judged by the data at hand: splits, metric, rates, epochs, device."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kolm_cli.capture.store import Store
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import InputError, Problem, raise_if_any
from kolm_cli.formats.columns import Columns
from kolm_cli.formats.reader import RowReader
from kolm_cli.records.conversation import Conversation

Device = Literal["cuda", "cpu"]

# An answer that relaxed accuracy reads as a number.
_NUMBER = re.compile(r"[-+]?[0-9][0-9,]*(\.[0-9]+)?\s*%?")
# Answers up to this long are compared whole; longer ones are hardly ever the same letter by letter.
_SHORT = 40
# Steps in which an adapter learns a narrow task. A large base knows most of it; a small one, such
# as the demo's, is taught the task itself.
STEPS, STEPS_OF_SMALL = 400, 800
_MOST_EPOCHS = 30
# Weights of fewer bytes are a small base: it needs rates that would ruin a large one.
_SMALL_BYTES = 500_000_000
# Shares of the evaluation pack, the usual one first: few pictures may leave a small part empty.
_SHARES = ("0.1", "0.2", "0.3", "0.5")
_ENOUGH_TO_SCORE = 50


@dataclass(frozen=True)
class DataFacts:
    """What rows look like.

    Attributes:
        rows: how many there are.
        images: how many different images they show.
        most_images: the most images of one row.
        numbers: the share of responses that are numbers.
        longest: characters of the longest response.
        usual: characters that nine of ten responses do not exceed.
        documents: whether every response is a JSON object.
    """

    rows: int
    images: int
    most_images: int
    numbers: float
    longest: int
    usual: int
    documents: bool = False

    @classmethod
    def of(cls, conversations: Iterable[Conversation]) -> DataFacts:
        """Look at every conversation, which there must be."""
        responses: list[str] = []
        images: set[str] = set()
        most = 0
        for conversation in conversations:
            responses.append(conversation.response.strip())
            images.update(conversation.images)
            most = max(most, len(conversation.images))
        lengths = sorted(len(text) for text in responses)
        return cls(
            rows=len(responses),
            images=len(images),
            most_images=most,
            numbers=sum(bool(_NUMBER.fullmatch(text)) for text in responses) / len(responses),
            longest=lengths[-1],
            usual=lengths[(len(lengths) * 9 - 1) // 10],
            documents=all(map(_is_document, responses)),
        )

    @property
    def metric(self) -> str:
        """Numbers may be nearly right, short texts are right or wrong, long ones nearly right."""
        if self.documents:
            return "json_fields"
        if self.numbers >= 0.8:
            return "relaxed_accuracy"
        return "exact_match" if self.usual <= _SHORT else "anls"

    @property
    def max_new_tokens(self) -> int:
        """Room for the longest answer, if every character were a token; a power of two."""
        return min(1024, max(8, 1 << (self.longest + 1).bit_length()))


def _is_document(text: str) -> bool:
    data = text.encode()
    try:
        return isinstance(canonical_json.loads(data, max_bytes=len(data)), dict)
    except canonical_json.JSONError:
        return False


@dataclass(frozen=True)
class ProposedSplit:
    """How a namespace is parted.

    Attributes:
        train: what comes after the `@` of the training source.
        eval: the same for the evaluation pack.
        train_rows: how many rows train.
        eval_rows: how many are scored.
        counted: whether they were counted; else the parts are likely about as large.
    """

    train: str
    eval: str
    train_rows: int
    eval_rows: int
    counted: bool = True


@dataclass(frozen=True)
class Schedule:
    """Batch, epochs and rates with which so many rows can be learned.

    Attributes:
        batch: rows at a time.
        accumulation: batches to one optimizer step.
        epochs: how often every row is seen.
        steps: optimizer steps in all.
        learning_rate: the adapter's, as a spec writes it.
        projector_learning_rate: the projector's.
    """

    batch: int
    accumulation: int
    epochs: int
    steps: int
    learning_rate: str
    projector_learning_rate: str


def look_at_file(path: Path, columns: Columns | None = None) -> DataFacts:
    """The facts of a file or folder of rows.

    Args:
        path: the file or folder.
        columns: which columns hold what, where they do not have kolm's names.

    Raises:
        InputError: it cannot be read, holds a row that cannot, or no row at all.
    """
    problems: list[Problem] = []
    conversations: list[Conversation] = []
    for row in RowReader(path, columns=columns):
        if isinstance(row, Problem):
            problems.append(row)
        else:
            conversations.append(row.conversation)
    raise_if_any(problems)
    if not conversations:
        raise InputError(Problem("there are no rows", str(path), "name a file that has some"))
    return DataFacts.of(conversations)


def look_at_namespace(namespace: str) -> tuple[DataFacts, ProposedSplit]:
    """The facts of a namespace of the capture store, and how it can be parted by image.

    Raises:
        InputError: there is no such namespace, it is empty, or it cannot be parted.
    """
    with Store.open() as store:
        conversations = [pair.conversation for pair in store.pairs(namespace)]
        if not conversations:
            raise InputError(
                Problem(
                    "there are no pairs",
                    f"capture:{namespace}",
                    f"kolm capture import FILE --to {namespace}",
                )
            )
        facts = DataFacts.of(conversations)
        split = _split(store, namespace, facts.rows)
    if split is None:
        raise InputError(
            Problem(
                f"its {facts.rows} pairs cannot be parted by image into two that share none",
                where=f"capture:{namespace}",
                fix="capture pairs of more images",
            )
        )
    return facts, split


def _split(store: Store, namespace: str, rows: int) -> ProposedSplit | None:
    """The smallest evaluation part that is enough to score, else the largest that there is."""
    best: ProposedSplit | None = None
    for share in _SHARES:
        name = "eval" if share == "0.1" else f"eval:{share}"
        rest = "train" if share == "0.1" else f"train:{1 - float(share):g}"
        scored = store.count(namespace, split=name)
        if 0 < scored < rows:
            best = ProposedSplit(rest, name, rows - scored, scored)
            if scored >= _ENOUGH_TO_SCORE:
                break
    return best


def likely_split(rows: int) -> ProposedSplit:
    """How so many rows will be parted once they are captured; by image, so only roughly."""
    few = rows * float(_SHARES[0]) < _ENOUGH_TO_SCORE
    scored = max(1, round(rows * float(_SHARES[1 if few else 0])))
    names = ("train:0.8", "eval:0.2") if few else ("train", "eval")
    return ProposedSplit(*names, max(1, rows - scored), scored, counted=False)


def schedule(rows: int, *, small_base: bool) -> Schedule:
    """A schedule for so many training rows.

    Few rows need more epochs: an adapter learns by optimizer steps, and one epoch of a hundred
    rows at eight a step has thirteen.
    """
    batch, accumulation = (16, 1) if small_base else (1, 8 if rows >= 400 else 4)
    an_epoch = math.ceil(math.ceil(rows / batch) / accumulation)
    wanted = STEPS_OF_SMALL if small_base else STEPS
    epochs = min(_MOST_EPOCHS, max(1, round(wanted / an_epoch)))
    rates = (
        ("2.0e-3", "3.0e-3") if small_base else ("2.0e-4" if rows < 3000 else "1.0e-4", "2.0e-5")
    )
    return Schedule(batch, accumulation, epochs, an_epoch * epochs, *rates)


def is_small(base: Path) -> bool:
    """Whether the base in this folder is a small one, by the bytes of its weights."""
    weights = sum(path.stat().st_size for path in base.glob("*.safetensors"))
    return 0 < weights < _SMALL_BYTES


def found_device() -> Device:
    """`cuda` where a driver and a card are, else `cpu`; quick, since torch is not asked."""
    card = Path("/dev/nvidia0").exists() or Path("/dev/dxg").exists()
    return "cuda" if card or shutil.which("nvidia-smi") else "cpu"
