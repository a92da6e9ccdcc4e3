"""What comes with a model or a data set of a hub, and parity statements."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from kolm_cli.bundle.format.parity import read_parity
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import InputError, KolmError
from kolm_cli.encoding.base_processor import RenderError
from kolm_cli.encoding.guarded_rendering import guarded
from kolm_cli.families.base import Family
from kolm_cli.families.resolve import resolve_base
from tests.fuzz.mutate import damaged, documents
from tests.fuzz.target import Target, png, rows

# -- a folder that `datasets` saved ---------------------------------------------------------------

_ARROW = "data-00000-of-00001.arrow"


@lru_cache
def _saved() -> dict[str, bytes]:
    import pyarrow as pa

    stream = io.BytesIO()
    table = pa.table({"image": [png()] * 3, "prompt": ["a", "b", "c"], "response": ["1"] * 3})
    features = {"image": {"_type": "Image"}, "prompt": {"_type": "Value", "dtype": "string"}}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    schema = table.schema.with_metadata(metadata)
    with pa.ipc.new_stream(stream, schema) as writer:
        writer.write_table(table.cast(schema))
    state = {"_data_files": [{"filename": _ARROW}], "_format_type": None}
    return {_ARROW: stream.getvalue(), "state.json": json.dumps(state).encode()}


def _saved_with(name: str) -> Callable[[bytes], object]:
    def feed(data: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            for path, content in {**_saved(), "dataset_info.json": b"{}", name: data}.items():
                Path(folder, path).write_bytes(content)
            return rows(Path(folder))

    return feed


# -- a base ---------------------------------------------------------------------------------------


@lru_cache
def _tiny(name: str) -> tuple[Family, Any]:
    from kolm_cli.families.catalog import by_name
    from kolm_cli.families.tiny.catalog import makers

    family = by_name(name)
    if family is None:
        raise AssertionError(name)
    family.register()
    return family, next(iter(makers(family).values()))(64, 2)


def _configs() -> Sequence[bytes]:
    made = [_tiny(name)[1].config.to_dict() for name in ("qwen2_5_vl", "llava", "text")]
    return [json.dumps(config, default=str).encode() for config in made]


def _base(data: bytes) -> object:
    """A base's `config.json`: found, and the model that it describes, without its weights."""
    from kolm_cli.plan.meta_model import empty_model

    with tempfile.TemporaryDirectory() as folder:
        for name in ("preprocessor_config.json", "processor_config.json", "tokenizer.json"):
            Path(folder, name).write_bytes(b"{}")
        Path(folder, "config.json").write_bytes(data)
        found = resolve_base(folder, weights=False)
        return found.vocabulary, empty_model(found.config, found.family, bf16=True)


_TEMPLATES = (
    b"{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}",
    b"{%- if add_generation_prompt -%}{{- '<a>' + messages[0]['role'][:9] | trim -}}{%- endif -%}",
    b"{% macro a(b) %}{{ raise_exception('no') if b else 'x' * 9 }}{% endmacro %}{{ a(0) }}",
    b"{% set ns = namespace(n=0) %}{% for i in range(9) %}{% set ns.n = ns.n + i %}{% endfor %}",
)


def _template(data: bytes) -> object:
    """A chat template, rendered as a stranger's is."""
    family, made = _tiny("text")
    processor = made.processor
    processor.chat_template = data.decode("utf-8", "replace")
    message = {"role": "user", "content": [{"type": "text", "text": "how many?"}]}
    with guarded(family, processor) as render:
        return render([message], True)


# -- a statement about a server -------------------------------------------------------------------


def _parities() -> Sequence[bytes]:
    said = {
        "accuracy": {"bundle": 0.8, "server": 0.7},
        "agreement": {"asked_for": 0.75, "equal": 9, "rows": 10},
        "checks": {"base": True, "picture": True, "template": None},
        "differ": [{"id": "a", "prediction": None}],
        "export": {"sha256": "0" * 64, "to": "vllm"},
        "measured": "2026-01-03T00:00:00Z",
        "name": "a",
        "previous": {"sha256": "0" * 64, "stage": "bundle"},
        "server": {"model": "m", "name": "vLLM", "version": "0.1"},
        "version": {"kolm-cli": "0.1.0"},
    }
    return [json.dumps(said).encode()]


def _parity(data: bytes) -> object:
    value = canonical_json.loads(data, max_bytes=1 << 20)
    if not isinstance(value, dict):
        raise InputError("a predicate is an object")
    return read_parity(value)


TARGETS: tuple[Target, ...] = (
    Target("rows-arrow", lambda: [_saved()[_ARROW]], damaged, _saved_with(_ARROW)),
    Target("saved-state", lambda: [_saved()["state.json"]], documents, _saved_with("state.json")),
    Target("base-config", _configs, documents, _base),
    Target(
        "chat-template", lambda: _TEMPLATES, damaged, _template, raises=(KolmError, RenderError)
    ),
    Target("parity", _parities, documents, _parity),
)
