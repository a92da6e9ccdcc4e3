"""`modules.json`: every parameter of the model, trained or frozen (`kolm-modules/1`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import VerificationError

FORMAT = "kolm-modules/1"
PARTS = ("vision", "projector", "language", "head", "other")
KINDS = ("lora", "full")
_FROZEN = {"name", "part", "shape", "dtype"}
_TRAINABLE = _FROZEN | {"kind", "file", "tensor"}


@dataclass(frozen=True)
class ListedTensor:
    """A parameter of the model.

    Attributes:
        name: its dotted name in the base.
        part: the part of the model that it belongs to, one of `PARTS`.
        shape: its dimensions.
        dtype: its type as safetensors writes it, such as `F32`.
    """

    name: str
    part: str
    shape: tuple[int, ...]
    dtype: str

    def as_json(self) -> dict[str, Any]:
        """The entry in the file."""
        return vars(self) | {"shape": list(self.shape)}


@dataclass(frozen=True)
class TrainableTensor(ListedTensor):
    """A parameter that was trained, and where the bundle holds it.

    Attributes:
        kind: `lora` for a matrix of an adapter, `full` for a parameter of the base.
        file: the safetensors file under `adapter/`.
        tensor: its name in that file.
    """

    kind: str
    file: str
    tensor: str


@dataclass(frozen=True)
class ModuleLists:
    """What `modules.json` says; both lists are sorted by name."""

    trainable: Sequence[TrainableTensor]
    frozen: Sequence[ListedTensor]

    @classmethod
    def of(
        cls, trainable: Iterable[TrainableTensor], frozen: Iterable[ListedTensor]
    ) -> ModuleLists:
        """The lists of these tensors, in any order."""
        return cls(
            sorted(trainable, key=lambda tensor: tensor.name),
            sorted(frozen, key=lambda tensor: tensor.name),
        )

    def as_json(self) -> dict[str, Any]:
        """The content of the file."""
        return {
            "format": FORMAT,
            "trainable": [tensor.as_json() for tensor in self.trainable],
            "frozen": [tensor.as_json() for tensor in self.frozen],
        }

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        return canonical_json.dumps(self.as_json())


def summarize(tensors: Iterable[ListedTensor]) -> list[str]:
    """Globs for a reader: layer numbers become `*`, equal results occur once, in order."""
    globs: dict[str, None] = {}
    for tensor in tensors:
        pieces = tensor.name.split(".")
        globs[".".join("*" if piece.isdigit() else piece for piece in pieces)] = None
    return list(globs)


def read_modules(data: bytes) -> ModuleLists:
    """Read `modules.json` strictly.

    Raises:
        VerificationError: it is malformed, unsorted, or lists a name twice.
    """
    value = canonical_json.loads_canonical(data, max_bytes=len(data))
    if not isinstance(value, dict):
        raise VerificationError(f"{layout.MODULES} is not an object")
    if set(value) != {"format", "trainable", "frozen"} or value["format"] != FORMAT:
        raise VerificationError(f"{layout.MODULES} is not of the form {FORMAT}")
    trainable = _entries(value["trainable"], "trainable", _TRAINABLE)
    frozen = _entries(value["frozen"], "frozen", _FROZEN)
    both = {e["name"] for e in trainable} & {e["name"] for e in frozen}
    if both:
        raise VerificationError(f"{min(both)} is listed as trainable and as frozen")
    if not trainable:
        raise VerificationError("nothing is listed as trainable")
    for entry in trainable:
        if entry["kind"] not in KINDS or not _is_adapter_file(entry["file"]):
            raise VerificationError(f"{entry['name']}: kind or file is wrong")
        if not isinstance(entry["tensor"], str):
            raise VerificationError(f"{entry['name']}: tensor is not a name")
    return ModuleLists(
        [TrainableTensor(**entry | {"shape": tuple(entry["shape"])}) for entry in trainable],
        [ListedTensor(**entry | {"shape": tuple(entry["shape"])}) for entry in frozen],
    )


def _entries(value: Any, which: str, keys: set[str]) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise VerificationError(f"{which} is not a list")
    for entry in value:
        if not isinstance(entry, dict) or set(entry) != keys:
            raise VerificationError(f"{which}: an entry has not exactly {', '.join(sorted(keys))}")
        if not isinstance(entry["name"], str) or entry["part"] not in PARTS:
            raise VerificationError(f"{which}: an entry has no name, or no part of a model")
        shape = entry["shape"]
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise VerificationError(f"{which}: {entry['name']} has no shape")
        if not isinstance(entry["dtype"], str):
            raise VerificationError(f"{which}: {entry['name']} has no dtype")
    names = [entry["name"] for entry in value]
    if any(a >= b for a, b in pairwise(names)):
        raise VerificationError(f"{which} is not sorted by name, or names one twice")
    return value


def _is_adapter_file(path: Any) -> bool:
    return isinstance(path, str) and path.startswith("adapter/") and layout.is_safetensors(path)
