"""YAML as `yaml.safe_load` reads it, with the position of every key and value.

Stricter in three ways: a duplicate key is a problem, the text is bounded in size, depth
and what its aliases expand to, and only plain data is allowed. Kinder in one: `1e-4` is a
number, though YAML 1.1 takes it for text.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from kolm_cli.core.bounded_yaml import BoundedLoader
from kolm_cli.core.errors import InputError, Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 20_000

_TOO_MANY = f"more than {MAX_NODES} keys and values, aliases expanded"
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")}
_MERGE = "tag:yaml.org,2002:merge"
# What YAML 1.1 takes for text, and kolm for a number.
EXPONENT = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+\Z")
EXPONENT_STARTS = list("-+0123456789")

Path = tuple[str | int, ...]
# Key to the node of the key and the node of the value.
_Pairs = dict[str, tuple[yaml.Node, yaml.Node]]


class Position(NamedTuple):
    """A place in a text; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Document:
    """What a YAML text says, and where.

    Attributes:
        value: plain dictionaries with text keys, lists, text, numbers, booleans and nulls.
        keys: the position of each key, by its path from the root.
        values: the position of each value; the root's path is `()`.
        problems: what is wrong but did not stop the reading, such as a duplicate key.
    """

    value: Any
    keys: dict[Path, Position] = field(default_factory=dict)
    values: dict[Path, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def at(self, path: Path, *, key: bool = False) -> Position:
        """The position of `path`, or of the nearest thing above it that is written.

        Args:
            path: keys and list indices from the root.
            key: point at the key, not at its value.
        """
        if path in self.values:
            return self.keys.get(path, self.values[path]) if key else self.values[path]
        # Something is missing here: point at the key of the mapping that lacks it.
        return self.at(path[:-1], key=True) if path else Position(1, 1)


class _Refusal(yaml.MarkedYAMLError):
    """YAML, but not such as kolm reads."""


class _Loader(BoundedLoader):
    """The safe loader, which stops before much or deep nesting exhausts time or the stack."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = self.nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        self.nodes += 1
        if self.depth > MAX_DEPTH or self.nodes > MAX_NODES:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            deep = self.depth > MAX_DEPTH
            what = f"nested deeper than {MAX_DEPTH} levels" if deep else _TOO_MANY
            raise _Refusal(None, None, what, mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


# A class of our own, so that nobody else's YAML changes.
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, EXPONENT_STARTS)


def parse(data: bytes, name: str) -> Document:
    """Read one YAML document.

    Args:
        data: the bytes of the file.
        name: what to call the file in messages.

    Raises:
        InputError: the text is not YAML, is beyond the limits or holds more than plain data.
    """
    if len(data) > MAX_BYTES:
        raise InputError(Problem(f"{len(data)} bytes, more than the {MAX_BYTES} allowed", name))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            Problem("not UTF-8 text", f"{name}:{line}", "save the file as UTF-8")
        ) from error
    try:
        # Reads the beginning already: a character that YAML forbids is an error here.
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            return _Reader(loader, name).document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise InputError(_syntax_problem(error, text, name)) from error


class _Reader:
    """Turns PyYAML's nodes into plain data, and notes the position of each."""

    def __init__(self, loader: _Loader, name: str) -> None:
        self.loader = loader
        self.name = name
        self.nodes = 0
        self.result = Document(None)

    def document(self, node: yaml.Node | None) -> Document:
        value = self.read(node, ()) if node is not None else None
        return Document(value, self.result.keys, self.result.values, self.result.problems)

    def read(self, node: yaml.Node, path: Path) -> Any:
        self.count(node)
        # Bounds an alias of something that holds itself; its text is not nested at all.
        if len(path) > MAX_DEPTH:
            raise _refusal(node, f"nested deeper than {MAX_DEPTH} levels")
        self.result.values[path] = _position(node)
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            pairs = self.pairs(node, path)
            for key, (key_node, _) in pairs.items():
                self.result.keys[(*path, key)] = _position(key_node)
            return {key: self.read(value, (*path, key)) for key, (_, value) in pairs.items()}
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node)

    def count(self, node: yaml.Node) -> None:
        # An alias is read again wherever it occurs, so this bounds what aliases expand to.
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _refusal(node, _TOO_MANY)

    def scalar(self, node: yaml.Node) -> Any:
        if node.tag == "tag:yaml.org,2002:timestamp":
            return node.value  # a date is text here, as it was written
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _PLAIN_TAGS:
            raise _refusal(node, f"the tag {node.tag[:60]} is not plain data")
        try:
            return self.loader.construct_object(node)
        except ValueError as error:  # for instance `!!bool x`
            raise _refusal(node, f"{node.value[:40]!r} is not a value: {error}") from error

    def pairs(self, node: yaml.MappingNode, path: Path, depth: int = 0) -> _Pairs:
        """The keys of a mapping with their nodes; what is merged in with `<<` yields to them."""
        own: _Pairs = {}
        merged: _Pairs = {}
        if depth > MAX_DEPTH:
            raise _refusal(node, f"merged deeper than {MAX_DEPTH} levels")
        for key_node, value_node in node.value:
            self.count(key_node)
            if key_node.tag == _MERGE:
                for source in self.merge_sources(value_node):
                    merged = self.pairs(source, path, depth + 1) | merged
                continue
            key = self.key(key_node)
            if key in own:
                self.twice(path, key, key_node, own[key][0])
            else:
                own[key] = (key_node, value_node)
        return merged | own

    def merge_sources(self, node: yaml.Node) -> Iterator[yaml.MappingNode]:
        for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(item, yaml.MappingNode):
                raise _refusal(item, "only mappings can be merged with <<")
            yield item

    def key(self, node: yaml.Node) -> str:
        value: Hashable = self.scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(value, str):
            raise _refusal(node, "a key must be text")
        return value

    def twice(self, path: Path, key: str, node: yaml.Node, first: yaml.Node) -> None:
        line, column = _position(node)
        dotted = ".".join(str(step) for step in (*path, key))
        self.result.problems.append(
            Problem(
                f"duplicate key, first in line {_position(first).line}",
                f"{self.name}:{line}:{column}: {dotted}",
                "keep one of the two",
            )
        )


def _position(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _refusal(node: yaml.Node, what: str) -> _Refusal:
    return _Refusal(None, None, what, node.start_mark)


def _syntax_problem(error: yaml.YAMLError, text: str, name: str) -> Problem:
    """One line for what PyYAML says in several."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        # PyYAML gives the code point as a number, though its stubs say text.
        what = f"the character U+{int(error.character):04X} is not allowed in YAML"
        return Problem(what, f"{name}:{line}", "remove it")
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(f"not YAML: {error}", name)
    mark = error.problem_mark or error.context_mark
    where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
    said = error.problem or "not YAML"
    if isinstance(error, _Refusal):
        return Problem(said, where)
    if "'\\t'" in said:
        return Problem("a tab where YAML allows only spaces", where, "indent with spaces")
    if "another document" in said or "expected a single document" in (error.context or ""):
        return Problem("a second document begins", where, "write one document, without ---")
    context = f" ({error.context})" if error.context else ""
    return Problem(f"not YAML: {said}{context}", where)
