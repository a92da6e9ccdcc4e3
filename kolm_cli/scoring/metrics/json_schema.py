"""A JSON Schema that a prediction has to fit: the part of 2020-12 that takes little time.

A bundle comes from a stranger, and so does its schema. References, regular expressions, `format`
and `uniqueItems` are refused: they could loop, fetch, or take time that grows faster than schema
and document together. A document does not fit whose values times those of the schema are more than
100,000.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from kolm_cli.core import canonical_json
from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.scoring.metrics.base import MetricOption

_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties",)
_ONE = ("additionalProperties", "items", "not")
_PLAIN = frozenset(
    {"$schema", "title", "description", "type", "enum", "const", "required"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"}
    | {"minItems", "maxItems", "minProperties", "maxProperties"}
)
MAX_PARTS, MAX_LEVELS = 500, 16
# Values in the schema times values in a document: each may be held against each.
MAX_WORK = 100_000


def _wrong(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, dict):
        return "is not a schema, which is a mapping"
    try:
        for place, part in enumerate(_parts(value, 0)):
            if isinstance(part, str):
                return part
            if place >= MAX_PARTS:
                return f"has more than {MAX_PARTS} parts"
        _validator(canonical_json.dumps(value))
    except (ValueError, canonical_json.JSONError) as error:
        return f"is no schema: {error}"
    return ""


def _parts(schema: Any, level: int) -> Iterator[dict[str, Any] | str]:
    """Every schema inside of a schema; a text says what is wrong with one."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield "has a part that is no mapping"
        return
    if level > MAX_LEVELS:
        yield f"is deeper than {MAX_LEVELS} levels"
        return
    yield schema
    for name, value in schema.items():
        inner: list[Any] = []
        if name in _MANY and isinstance(value, list):
            inner = value
        elif name in _NAMED and isinstance(value, dict):
            inner = list(value.values())
        elif name in _ONE:
            inner = [value]
        elif name not in _PLAIN:
            yield f"has {name!r:.40}, which kolm does not take"
            return
        for part in inner:
            yield from _parts(part, level + 1)


@functools.lru_cache(maxsize=64)
def _validator(schema: bytes) -> Any:
    """What checks documents against a schema, by the schema's canonical bytes.

    Raises:
        LackingError: jsonschema is not installed.
        ValueError: it is not a schema.
    """
    try:
        import jsonschema
        import referencing
    except ImportError as error:
        raise LackingError(
            Problem("a schema needs jsonschema", fix="pip install 'kolm-cli[metrics]'")
        ) from error
    document = canonical_json.loads(schema, max_bytes=len(schema))
    kind = jsonschema.Draft202012Validator
    try:
        kind.check_schema(document)
    except jsonschema.SchemaError as error:
        raise ValueError(error.message[:120]) from error
    return kind(document, registry=referencing.Registry())


def _values(value: Any) -> int:
    """How many values there are in a JSON value, itself among them."""
    inside = value.values() if isinstance(value, dict) else value
    return 1 + sum(map(_values, inside)) if isinstance(value, dict | list) else 1


def fits(value: Any, schema: dict[str, Any] | None) -> bool:
    """Whether a document fits; without a schema each does. One that is too long for it does not."""
    if schema is None:
        return True
    if _values(value) * _values(schema) > MAX_WORK:
        return False
    return bool(_validator(canonical_json.dumps(schema)).is_valid(value))


SCHEMA = MetricOption(
    "schema",
    "a JSON Schema (2020-12 without references and regular expressions) that a prediction must fit",
    None,
    _wrong,
)
