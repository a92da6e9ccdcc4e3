"""Makes small, complete bundles without torch: every file, a real adapter, real scores."""

from __future__ import annotations

import hashlib
import json
import random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from kolm_cli.bundle.build import BaseIdentity, Built, Content, Stage, build_bundle
from kolm_cli.bundle.format.evaluation import read_gate
from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.policy import TrustedKey, TrustPolicy
from kolm_cli.core import canonical_json
from kolm_cli.scoring.gate import Reached, judge
from kolm_cli.scoring.interval import bootstrap_interval
from kolm_cli.scoring.k_score import k_score
from kolm_cli.scoring.metrics.catalog import choose

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FINISHED = datetime(2026, 1, 2, 4, 4, 5, tzinfo=UTC)
BASE = BaseIdentity("acme/tiny-vlm", "0123456789abcdef", {"model.safetensors": "ab" * 32})
LORA = "base_model.model."
LATENCY_US = 120_000

Files = dict[str, Path | bytes]


def safetensors_bytes(tensors: Mapping[str, Sequence[int]], seed: int = 0) -> bytes:
    """A safetensors file of F32 tensors with these shapes, as the library writes it."""
    draw = random.Random(seed)  # noqa: S311  # weights, not secrets
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name in sorted(tensors):
        count = 1
        for size in tensors[name]:
            count *= size
        data = struct.pack(f"<{count}f", *(draw.uniform(-1, 1) for _ in range(count)))
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": "F32", "shape": list(tensors[name]), "data_offsets": offsets}
        body += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def jsonl(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(canonical_json.dumps(dict(row)) + b"\n" for row in rows)


def modules_json() -> dict[str, Any]:
    """Two LoRA pairs and one projector tensor train; three tensors are frozen."""
    trainable = []
    for layer in range(2):
        for letter, shape in (("A", [2, 8]), ("B", [8, 2])):
            name = f"model.language_model.layers.{layer}.self_attn.q_proj.lora_{letter}.weight"
            trainable.append(
                {
                    "name": name,
                    "part": "language",
                    "kind": "lora",
                    "file": "adapter/adapter_model.safetensors",
                    "tensor": LORA + name,
                    "shape": shape,
                    "dtype": "F32",
                }
            )
    trainable.append(
        {
            "name": "model.visual.merger.mlp.0.weight",
            "part": "projector",
            "kind": "full",
            "file": "adapter/projector.safetensors",
            "tensor": "model.visual.merger.mlp.0.weight",
            "shape": [4, 4],
            "dtype": "F32",
        }
    )
    frozen = [
        {"name": name, "part": part, "shape": [8, 8], "dtype": "F32"}
        for name, part in (
            ("model.language_model.layers.0.self_attn.q_proj.weight", "language"),
            ("model.language_model.layers.1.self_attn.q_proj.weight", "language"),
            ("model.visual.blocks.0.attn.qkv.weight", "vision"),
        )
    ]
    return {"format": "kolm-modules/1", "trainable": trainable, "frozen": frozen}


def globs(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    names = (".".join("*" if p.isdigit() else p for p in e["name"].split(".")) for e in entries)
    return list(dict.fromkeys(names))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def rows_in(data: Path | bytes) -> int:
    """How many lines a file of a bundle has."""
    return (data.read_bytes() if isinstance(data, Path) else data).count(b"\n")


def make_files(*, include: str = "answers", adapter_padding: int = 0, train_rows: int = 5) -> Files:
    """Every file of a small bundle but the manifest and the attestations."""
    rows = [
        {"id": f"train.jsonl:{i}", "sha256": digest(f"row {i}"), "images": [digest(f"image {i}")]}
        for i in range(1, train_rows + 1)
    ]
    pack = [
        {"id": f"eval.jsonl:{i}", "images": [digest(f"eval image {i}")], "answers": [str(i * 10)]}
        for i in range(1, 11)
    ]
    said: list[str | None] = [str(i * 10) for i in range(1, 11)]
    said[3], said[7] = "no idea", None
    base_said = [str(i * 10) if i == 1 else "?" for i in range(1, 11)]
    evaluation = {
        "format": "kolm-eval/1",
        "metric": "exact_match",
        "max_new_tokens": 16,
        "include": include,
        "rows": len(pack),
        "gate": {"k": 0.5, "accuracy": 0.75},
        "usd_per_hour": 1.8,
    }
    dataset = {
        "format": "kolm-dataset/1",
        "train": {
            "rows": len(rows),
            "images": len(rows),
            "sha256": hashlib.sha256(
                canonical_json.dumps([[row["id"], row["sha256"]] for row in rows])
            ).hexdigest(),
        },
        "eval": {"rows": len(pack), "images": len(pack), "sha256": digest("pack")},
    }
    modules = modules_json()
    shapes: dict[str, dict[str, list[int]]] = {}
    for entry in modules["trainable"]:
        shapes.setdefault(entry["file"], {})[entry["tensor"]] = entry["shape"]
    config = {
        "base_model_name_or_path": BASE.model,
        "bias": "none",
        "lora_alpha": 4,
        "peft_type": "LORA",
        "r": 2,
        "target_modules": r"model\.language_model\..*q_proj",
        "task_type": "CAUSAL_LM",
    }
    files: Files = {
        "adapter/adapter_config.json": canonical_json.dumps(config),
        **{path: safetensors_bytes(tensors) for path, tensors in shapes.items()},
        "processor/chat_template.jinja": b"{% for m in messages %}{{ m }}{% endfor %}",
        "processor/processor_config.json": b'{"processor_class": "TinyProcessor"}\n',
        "processor/tokenizer.json": b'{"model": {"type": "BPE", "vocab": {"a": 0}}}\n',
        "processor/tokenizer_config.json": b'{"tokenizer_class": "TokenizersBackend"}\n',
        "eval/evaluation.json": canonical_json.dumps(evaluation),
        "data/dataset.json": canonical_json.dumps(dataset),
        "data/train.jsonl": jsonl(rows),
        "modules.json": canonical_json.dumps(modules),
        "spec.yaml": b"kolm: 1\nname: tiny-chart\n",
    }
    if include == "answers":
        files["eval/pack.jsonl"] = jsonl(pack)
        for name, answers in (("predictions", said), ("base_predictions", base_said)):
            lines = [
                {"id": row["id"], "prediction": text}
                for row, text in zip(pack, answers, strict=True)
            ]
            files[f"eval/{name}.jsonl"] = jsonl(lines)
    else:
        files["eval/pack.jsonl"] = jsonl(
            [{"id": r["id"], "images": r["images"], "sha256": digest(str(r["id"]))} for r in pack]
        )
    return files


def lines_of(files: Files, path: str) -> list[dict[str, Any]]:
    data = files[path]
    assert isinstance(data, bytes)
    return [json.loads(line) for line in data.splitlines()]


def total(files: Files) -> int:
    return sum(f.stat().st_size if isinstance(f, Path) else len(f) for f in files.values())


def template_sha256(files: Files) -> str:
    """The digest of the chat template in the bundle."""
    data = files["processor/chat_template.jinja"]
    assert isinstance(data, bytes)
    return hashlib.sha256(data).hexdigest()


def make_receipt(files: Files) -> dict[str, Any]:
    """The facts that fit `files`."""
    evaluation_file = files["eval/evaluation.json"]
    modules_file = files["modules.json"]
    assert isinstance(evaluation_file, bytes)
    assert isinstance(modules_file, bytes)
    evaluation, modules = json.loads(evaluation_file), json.loads(modules_file)
    accuracy, base_accuracy, coverage, interval = 0.8, 0.1, 0.9, (0.5, 1.0)
    if evaluation["include"] == "answers":
        pack = lines_of(files, "eval/pack.jsonl")
        score = choose(evaluation["metric"], evaluation.get("metric_options", {})).score

        def scores(path: str) -> list[float]:
            said = [line["prediction"] for line in lines_of(files, path)]
            return [
                0.0 if text is None else score(text, row["answers"])
                for text, row in zip(said, pack, strict=True)
            ]

        accuracy = fmean(scores("eval/predictions.jsonl"))
        base_accuracy = fmean(scores("eval/base_predictions.jsonl"))
        interval = bootstrap_interval(scores("eval/predictions.jsonl"))
        answered = [li for li in lines_of(files, "eval/predictions.jsonl") if li["prediction"]]
        coverage = len(answered) / len(pack)
    price = evaluation["usd_per_hour"]
    k = k_score(
        accuracy=accuracy,
        bytes_total=total(files),
        latency_microseconds=LATENCY_US,
        usd_per_call=None if price is None else price * LATENCY_US / 3_600_000_000,
        coverage=coverage,
    )
    gate = judge(read_gate(evaluation["gate"]), Reached(k.k, accuracy))
    return {
        "vlm_train": {
            "model_id": BASE.model,
            "papers": ["https://arxiv.org/abs/2502.13923"],
            "lora_r": 2,
            "lora_alpha": 4,
            "lora_targets": ["q_proj"],
            "freeze_vision": True,
            "learning_rate": 1e-4,
            "max_seq_length": 512,
            "train_examples": rows_in(files["data/train.jsonl"]),
            "frozen_modules": globs(modules["frozen"]),
            "trainable_modules": globs(modules["trainable"]),
            "evidence": {
                "tensors_trainable": 5,
                "tensors_with_gradient": 5,
                "frozen_digests_before": {"vision": "cd" * 32},
                "frozen_digests_after": {"vision": "cd" * 32},
            },
        },
        "evaluation": {
            **{k: v for k, v in evaluation.items() if k in ("metric", "metric_options")},
            "accuracy": accuracy,
            "base_accuracy": round(base_accuracy, 4),
            "coverage": coverage,
            "latency_us": LATENCY_US,
            "k_score": {
                "spec": k.spec,
                "k": k.k,
                "axes": k.axes,
                "accuracy_ci95": list(interval),
            },
            "gate": {"passed": gate.passed, "failed": gate.failed},
        },
        "environment": {"python": "3.11.2", "torch": "2.13.0"},
    }


CAPTURE = Stage("capture", {"namespace": "tiny-chart", "pairs": 5, "sha256": digest("pairs")})
STAGES = (
    CAPTURE,
    Stage("dataset", {"rows": 5}),
    Stage("train", {"steps": 3}),
    Stage("evaluate", {"rows": 10}),
)


def make_content(
    files: Files | None = None, *, name: str = "tiny-chart", stages: Sequence[Stage] = STAGES
) -> Content:
    files = make_files() if files is None else files
    return Content(
        name=name,
        base=BASE,
        files=files,
        receipt=make_receipt(files),
        stages=stages,
        started=STARTED,
        finished=FINISHED,
    )


def with_files(
    changes: Mapping[str, Path | bytes | None], content: Content | None = None
) -> Content:
    """A content with some files replaced, added or (None) taken away; the receipt as it was."""
    content = content or make_content()
    files = {**content.files, **changes}
    return replace(content, files={p: f for p, f in files.items() if f is not None})


def make_bundle(out: Path, signer: keys.Signer | None = None, **options: Any) -> Built:
    """A good bundle, signed by a fresh key unless one is given."""
    return build_bundle(make_content(**options), signer or keys.generate(), out)


def trusting(*signers: keys.Signer, names: Sequence[str] = ("*",)) -> TrustPolicy:
    """A policy that lets these keys sign these names."""
    return TrustPolicy(tuple(TrustedKey(s.key_id, tuple(names)) for s in signers))


def big_files(folder: Path, mebibytes: int) -> Files:
    """The files of a bundle whose projector has this size; it is made of zeros."""
    files = make_files()
    modules = modules_json()
    entry = modules["trainable"][-1]
    entry["shape"] = [mebibytes, 1 << 18]
    size = mebibytes << 20
    facts = {"dtype": "F32", "shape": entry["shape"], "data_offsets": [0, size]}
    header = json.dumps({entry["tensor"]: facts}, separators=(",", ":")).encode()
    path = folder / "projector.safetensors"
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(header)) + header)
        stream.truncate(8 + len(header) + size)
    return {**files, "modules.json": canonical_json.dumps(modules), entry["file"]: path}
