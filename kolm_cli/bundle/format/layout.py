"""What a bundle may contain: the allow list of paths, their order, and every limit."""

from __future__ import annotations

import re
from dataclasses import dataclass

FORMAT = "kolm-bundle/1"

MANIFEST = "manifest.json"
MODULES = "modules.json"
SPEC = "spec.yaml"
ADAPTER_CONFIG = "adapter/adapter_config.json"
ADAPTER_WEIGHTS = "adapter/adapter_model.safetensors"
EVALUATION = "eval/evaluation.json"
PACK = "eval/pack.jsonl"
PREDICTIONS = "eval/predictions.jsonl"
BASE_PREDICTIONS = "eval/base_predictions.jsonl"
DATASET = "data/dataset.json"
TRAIN_ROWS = "data/train.jsonl"

ATTESTATIONS = "attestations/"
RECEIPT = "attestations/receipt.sigstore.json"
MODEL_SIGNATURE = "attestations/model.sig"

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
# A bundle is below 4 GiB, so that no field of a ZIP ever needs its 64-bit form.
MAX_BUNDLE_BYTES = 4 * GIB - 1
MAX_ENTRIES = 256
MAX_MANIFEST_BYTES = 256 * KIB - 1
MAX_SAFETENSORS_HEADER = 8 * MIB
MAX_LINE_BYTES = MIB
# All files together that a reader holds in memory to look into them.
MAX_KEPT_BYTES = 128 * MIB
# Some metrics take the product of two texts' lengths in time.
MAX_TEXT = 64 * KIB
MAX_CO_SIGNATURES = 16
MAX_PARITY_STATEMENTS = 16

# The stages of the chain, in order; a bundle without captured pairs starts at the second.
STAGES = ("capture", "dataset", "train", "evaluate", "bundle")


@dataclass(frozen=True)
class FileKind:
    """One sort of file.

    Attributes:
        pattern: the paths it may have, matched in full.
        max_bytes: the most that one may hold.
        kept: whether a reader holds it in memory to look into it; the rest is only streamed.
        json: whether it is one JSON document.
        required: whether every bundle has it (a plain path then, not a pattern).
    """

    pattern: str
    max_bytes: int
    kept: bool = False
    json: bool = False
    required: bool = False


def _one(path: str, max_bytes: int, *, kept: bool = True, required: bool = True) -> FileKind:
    is_json = path.endswith(".json")
    return FileKind(re.escape(path), max_bytes, kept=kept, json=is_json, required=required)


_STAGE_FILES = r"attestations/(capture|dataset|train|evaluate|receipt)\.sigstore\.json"
_SHA256 = "[0-9a-f]{64}"

# The order of this table is the order in a bundle; within one kind, paths are sorted.
KINDS: tuple[FileKind, ...] = (
    _one(MANIFEST, MAX_MANIFEST_BYTES),
    _one(ADAPTER_CONFIG, MIB),
    _one(ADAPTER_WEIGHTS, MAX_BUNDLE_BYTES, kept=False),
    FileKind(r"adapter/(projector|vision)\.safetensors", MAX_BUNDLE_BYTES),
    # Vocabularies hold text, not settings: no loader looks for code in them.
    FileKind(r"processor/(added_tokens|tokenizer|vocab)\.json", 64 * MIB),
    FileKind(r"processor/[a-z0-9][a-z0-9_-]{0,63}\.json", 4 * MIB, kept=True, json=True),
    FileKind(r"processor/(additional_chat_templates/)?[a-z0-9][a-z0-9_-]{0,63}\.jinja", MIB),
    FileKind(r"processor/[a-z0-9][a-z0-9._-]{0,63}\.(model|txt)", 64 * MIB),
    _one(EVALUATION, 64 * KIB),
    _one(PACK, 32 * MIB),
    _one(PREDICTIONS, 32 * MIB, required=False),
    _one(BASE_PREDICTIONS, 32 * MIB, required=False),
    _one(DATASET, 64 * KIB),
    _one(TRAIN_ROWS, GIB, kept=False),
    _one(MODULES, 8 * MIB),
    _one(SPEC, MIB),
    FileKind(rf"attestations/{_SHA256}\.pem", KIB, kept=True),
    FileKind(_STAGE_FILES, 4 * MIB, kept=True),
    FileKind(rf"attestations/receipt\.{_SHA256}\.sigstore\.json", 4 * MIB, kept=True),
    FileKind(rf"attestations/parity\.{_SHA256}\.sigstore\.json", MIB, kept=True),
    _one(MODEL_SIGNATURE, 4 * MIB, required=False),
)

# A bundle whose evaluation is by digests alone holds no predictions: both files or neither.
_STAGE_ORDER = {f"{ATTESTATIONS}{name}.sigstore.json": i for i, name in enumerate(STAGES[:-1])}
_STAGE_ORDER[RECEIPT] = len(STAGES) - 1
_COMPILED = tuple((re.compile(kind.pattern, re.ASCII), kind) for kind in KINDS)


def kind_of(path: str) -> FileKind | None:
    """The kind of the file at `path`, or None when the allow list does not have it."""
    for pattern, kind in _COMPILED:
        if pattern.fullmatch(path):
            return kind
    return None


def sort_key(path: str) -> tuple[int, int, str]:
    """Sorts paths into the order that they have in a bundle."""
    for index, (pattern, _) in enumerate(_COMPILED):
        if pattern.fullmatch(path):
            return index, _STAGE_ORDER.get(path, 0), path
    return len(_COMPILED), 0, path


def required_paths() -> tuple[str, ...]:
    """The files that every bundle has, the receipt among them."""
    plain = [k.pattern.replace("\\", "") for k in KINDS if k.required]
    return (*plain, *(stage_path(stage) for stage in STAGES[1:]))


def stage_path(stage: str) -> str:
    """The path of a stage's signed statement; the last one is the receipt."""
    return RECEIPT if stage == "bundle" else f"{ATTESTATIONS}{stage}.sigstore.json"


def key_path(key_id: str) -> str:
    """The path of the public key with this id."""
    return f"{ATTESTATIONS}{key_id}.pem"


def co_signature_path(key_id: str) -> str:
    """The path of a further signature of the receipt, by this key."""
    return f"{ATTESTATIONS}receipt.{key_id}.sigstore.json"


def parity_path(sha256: str) -> str:
    """The path of the parity statement whose payload has this digest."""
    return f"{ATTESTATIONS}parity.{sha256}.sigstore.json"


def is_attested(path: str) -> bool:
    """Whether the manifest lists `path`: everything but itself and the attestations."""
    return path != MANIFEST and not path.startswith(ATTESTATIONS)


def is_safetensors(path: str) -> bool:
    """Whether the file holds tensors."""
    return path.endswith(".safetensors")
