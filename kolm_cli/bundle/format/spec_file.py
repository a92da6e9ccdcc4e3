"""`spec.yaml` as a bundle holds it: plain YAML without anything that grows or hides.

kolm writes no aliases, anchors or tags there. A reader that refuses them cannot be made to expand a
short text into a large value.
"""

from __future__ import annotations

from typing import Any

import yaml

from kolm_cli.bundle.format import layout
from kolm_cli.core.bounded_yaml import BoundedLoader
from kolm_cli.core.errors import VerificationError

MAX_DEPTH = 32
MAX_NODES = 20_000
_TEXT = "tag:yaml.org,2002:str"


def read_spec(data: bytes) -> dict[str, Any]:
    """The sections of the spec.

    Raises:
        VerificationError: it is not plain YAML, too deep or too long, or names a key twice.
    """
    try:
        text = data.decode()
        _check_events(text)
        loader = BoundedLoader(text)
        node = loader.get_single_node()
        _check_keys(node)
        value = loader.construct_document(node) if node is not None else None
    except (yaml.YAMLError, ValueError, ArithmeticError, TypeError) as error:
        raise VerificationError(f"{layout.SPEC} is not plain YAML: {error}") from error
    if not isinstance(value, dict):
        raise VerificationError(f"{layout.SPEC} is not a mapping")
    return value


def _check_events(text: str) -> None:
    """Bound what is read before anything is built from it."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=BoundedLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_NODES} values or {MAX_DEPTH} levels")
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise ValueError("an anchor or an alias")
        if getattr(event, "tag", None) is not None:
            raise ValueError("a tag")


def _check_keys(node: yaml.Node | None) -> None:
    """Refuse a key that occurs twice: readers disagree about which one counts."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        # `<<`, 1 and null are keys of other kinds, which readers bring together differently.
        if any(key.tag != _TEXT for key, _ in node.value) or len(set(keys)) != len(keys):
            raise ValueError("a key that is not text, or occurs twice")
        for _, value in node.value:
            _check_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_keys(value)
