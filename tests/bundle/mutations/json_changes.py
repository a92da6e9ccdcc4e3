"""Random changes to JSON values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from kolm_cli.core.digests import sha256_bytes
from tests.bundle.mutations.good import encoded

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["", "manifest.json", "capture", "../x", "0" * 64, "F32", "lora"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


Place = tuple[Any, Any]  # a container and a key of it


def places(value: Any) -> Iterator[Place]:
    keyed = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in keyed:
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


def change_value(draw: st.DrawFn, value: Any) -> None:
    """Replaces, removes or adds one value somewhere in a JSON document."""
    found = list(places(value))
    if not found:
        return
    holder, key = found[draw(st.integers(0, len(found) - 1))]
    kind = draw(st.sampled_from(["replace", "remove", "add", "repeat"]))
    if kind == "replace":
        holder[key] = draw(values)
    elif kind == "remove":
        del holder[key]
    elif isinstance(holder, list):
        holder.insert(key, holder[key] if kind == "repeat" else draw(values))
    else:
        holder[draw(st.text(max_size=6))] = draw(values)


def mend(files: dict[str, bytes], changed: str) -> dict[str, bytes]:
    """The manifest made to fit a changed file, so that later checks get to see it."""
    if changed == "manifest.json":
        return files
    manifest = json.loads(files["manifest.json"])
    for record in manifest["files"]:
        if record["path"] == changed:
            record.update(size=len(files[changed]), sha256=sha256_bytes(files[changed]))
    return {**files, "manifest.json": encoded(manifest)}
