"""What a model card says of a bundle: how it scored, on what, how it was trained, how to check it.

All of it is read from the bundle, so that the same bundle gives the same card.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.signing.attestations import read_statement
from kolm_cli.bundle.signing.sigstore import read_envelope
from kolm_cli.export.base import Source

FENCE = "```"


def front_matter(source: Source, library: str) -> str:
    """The YAML between the lines of `---`: what the hub lists and compares."""
    scored = _scored(source)
    front: dict[str, Any] = {"library_name": library, "tags": ["kolm"]}
    if source.base.revision:
        front["base_model"] = source.base.name
    accuracy, metric = _share(scored.get("accuracy")), scored.get("metric")
    if accuracy is not None and isinstance(metric, str):
        result = {
            "task": {"type": "image-text-to-text"},
            "dataset": {"name": "evaluation pack", "type": "kolm-pack"},
            "metrics": [{"name": "accuracy", "type": metric, "value": accuracy}],
        }
        front["model-index"] = [{"name": source.name, "results": [result]}]
    return yaml.safe_dump(front, sort_keys=True, allow_unicode=False)


def paragraphs(source: Source) -> Iterator[str]:
    """The card's own part, paragraph by paragraph; lists and code stand as they are."""
    if not (source.folder / layout.RECEIPT).is_file():
        return  # an adapter that never was in a bundle has nothing that it could claim
    scored, trained = _scored(source), _block(source, "vlm_train")
    yield "## How it scored"
    accuracy, base = _share(scored.get("accuracy")), _share(scored.get("base_accuracy"))
    interval = _at(scored, "k_score").get("accuracy_ci95")
    lines = [f"- metric: `{_word(scored.get('metric'))}`"]
    if accuracy is not None:
        between = ""
        if isinstance(interval, list) and all(_share(v) is not None for v in interval):
            between = f" (95 %: {' to '.join(f'{v:.4f}' for v in interval)})"
            if interval[0] == interval[-1]:
                between = " (every row scored alike)"
        lines.append(f"- accuracy: {accuracy:.4f}{between}")
    if base is not None:
        lines.append(f"- accuracy of the base on the same rows: {base:.4f}")
    k = _share(_at(scored, "k_score").get("k"))
    lines.append(f"- K-score: {'undefined' if k is None else f'{k:.4f}'}")
    met = _at(scored, "gate").get("passed") is True
    lines.append(f"- gate: {'met' if met else 'not met'}")
    yield "\n".join(lines)
    yield "## What it was made of"
    dataset = _at(read_statement(_envelope(source, layout.stage_path("dataset"))), "predicate")
    facts = _at(dataset, "facts")
    lines = []
    for split, words in (("train", "training"), ("eval", "evaluation")):
        rows = _at(facts, split)
        lines.append(
            f"- {words}: {_word(rows.get('rows'))} rows, sha256 `{_word(rows.get('sha256'))}`"
        )
    lines += [
        f"- base weights: `{name}`, sha256 `{sha256}`"
        for name, sha256 in sorted(source.weights.items())
    ]
    for name in ("lora_r", "lora_alpha", "projector", "freeze_vision", "learning_rate", "seed"):
        if name in trained:
            lines.append(f"- {name}: `{_word(trained[name])}`")
    if "parent" in trained:
        lines.append(f"- started from: `{_word(trained['parent'])}`")
    yield "\n".join(lines)
    yield "## How to check it"
    yield (
        "The numbers above are the bundle's, which is signed. Whoever has the bundle checks it, its"
        " signer and this folder:"
    )
    bundle = f"{source.name}.kolm"
    commands = (
        f"kolm verify {bundle} --cid {source.cid}",
        f"kolm verify {bundle} --export .",
        f"unzip -p {bundle} manifest.json | sha256sum  # the digest behind the CID",
    )
    yield "\n".join([f"{FENCE}sh", *commands, FENCE])


def _scored(source: Source) -> Mapping[str, Any]:
    return _block(source, "evaluation")


def _block(source: Source, name: str) -> Mapping[str, Any]:
    if not (source.folder / layout.RECEIPT).is_file():
        return {}
    statement = read_statement(_envelope(source, layout.RECEIPT))
    return _at(statement, "predicate", "buildDefinition", "internalParameters", name)


def _envelope(source: Source, path: str) -> Any:
    return read_envelope((source.folder / path).read_bytes())


def _at(value: Any, *path: str) -> Mapping[str, Any]:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _share(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and 0 <= value <= 1 else None


def _word(value: Any) -> str:
    """A claim as it may stand between back quotes: no markup, no line of its own."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    plain = "".join(c if c.isprintable() and c not in "`<>[]|" else "?" for c in text)
    return plain[:100]
