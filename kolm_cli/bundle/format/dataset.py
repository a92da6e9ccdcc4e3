"""`data/dataset.json` and `data/train.jsonl`: what was trained on, by digests."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.json_lines import COMPACT, SHA256, read_line, write_lines
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import VerificationError

FORMAT = "kolm-dataset/1"
_FACTS = {"rows", "images", "sha256"}
_CAPTURED = re.compile(r"capture:[^/]+/[0-9a-f]{16}")


@dataclass(frozen=True)
class DatasetFacts:
    """A set of rows.

    Attributes:
        rows: their number.
        images: the number of distinct images.
        sha256: digest of the canonical JSON of all `[id, sha256]`, in order.
    """

    rows: int
    images: int
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """What `data/dataset.json` says of the training rows and of the evaluation pack."""

    train: DatasetFacts
    eval: DatasetFacts

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        return canonical_json.dumps(
            {"format": FORMAT, "train": vars(self.train), "eval": vars(self.eval)}
        )


def read_dataset(data: bytes) -> Dataset:
    """Read `data/dataset.json` strictly.

    Raises:
        VerificationError: it is malformed.
    """
    value = canonical_json.loads_canonical(data, max_bytes=64 * layout.KIB)
    if (
        not isinstance(value, dict)
        or set(value) != {"format", "train", "eval"}
        or value["format"] != FORMAT
    ):
        raise VerificationError(f"{layout.DATASET} is not of the form {FORMAT}")
    return Dataset(_facts(value["train"]), _facts(value["eval"]))


def _facts(value: Any) -> DatasetFacts:
    if not isinstance(value, dict) or set(value) != _FACTS:
        raise VerificationError(f"{layout.DATASET}: not exactly rows, images, sha256")
    counts = (value["rows"], value["images"])
    if not all(type(count) is int and count >= 0 for count in counts):
        raise VerificationError(f"{layout.DATASET}: rows or images is not a count")
    if not isinstance(value["sha256"], str) or not SHA256.fullmatch(value["sha256"]):
        raise VerificationError(f"{layout.DATASET}: sha256 is not a digest")
    return DatasetFacts(*counts, value["sha256"])


@dataclass(frozen=True)
class TrainRow:
    """A training row, by digests.

    Attributes:
        id: its id.
        sha256: the digest of what it says.
        images: digests of the images that it shows, in order.
    """

    id: str
    sha256: str
    images: Sequence[str]


def id_digest(name: str) -> bytes:
    """What is kept of a row's id, of which there may be millions."""
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def write_train_rows(rows: Iterable[TrainRow]) -> bytes:
    """The bytes of `data/train.jsonl`."""
    return write_lines(
        {"id": row.id, "images": list(row.images), "sha256": row.sha256} for row in rows
    )


class TrainRowsReader:
    """Reads `data/train.jsonl` a piece at a time, for it may be larger than memory.

    Attributes:
        rows: how many rows were read.
        images: the distinct images.
        image_counts: how many images each row shows, in order.
        ids: a digest of each id, in order.
        captured: how many ids are those of captured pairs.
        problem: what is wrong with the file; the rest is then not read.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.images: set[str] = set()
        self.image_counts = array("L")
        self.ids: list[bytes] = []
        self.captured = 0
        self.problem = ""
        self._ids: set[bytes] = set()
        self._contents: set[bytes] = set()
        self._digest = hashlib.sha256(b"[")
        self._rest = b""

    @property
    def different(self) -> int:
        """How many rows say something that no other one says."""
        return len(self._contents)

    @property
    def facts(self) -> DatasetFacts:
        """What `data/dataset.json` must say of these rows."""
        whole = self._digest.copy()
        whole.update(b"]")
        return DatasetFacts(self.rows, len(self.images), whole.hexdigest())

    def write(self, data: memoryview) -> None:
        """Take the lines that are complete."""
        if self.problem:
            return
        *lines, self._rest = (self._rest + bytes(data)).split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._rest) > layout.MAX_LINE_BYTES:
            self.problem = f"line {self.rows + 1} is longer than {layout.MAX_LINE_BYTES} bytes"

    def close(self) -> None:
        """Note when the last line was not ended."""
        if not self.problem and self._rest:
            self.problem = "the last line has no end"

    def _line(self, line: bytes) -> None:
        if self.problem:
            return
        try:
            row = read_line(line, {"id", "images", "sha256"})
            if not (isinstance(row["sha256"], str) and SHA256.fullmatch(row["sha256"])):
                raise VerificationError("sha256 is not a digest")
            name = id_digest(row["id"])
            if name in self._ids:
                raise VerificationError(f"the id {row['id']!r:.80} occurs twice")
        except VerificationError as error:
            self.problem = f"line {self.rows + 1}: {error}"
            return
        self._digest.update(b"," if self.rows else b"")
        self._digest.update(COMPACT.encode([row["id"], row["sha256"]]).encode())
        self._ids.add(name)
        self.ids.append(name)
        self.captured += _CAPTURED.fullmatch(row["id"]) is not None
        self._contents.add(bytes.fromhex(row["sha256"]))
        self.images.update(row["images"])
        self.image_counts.append(len(row["images"]))
        self.rows += 1
