"""YAML is read as PyYAML's safe loader reads it, with positions, and within limits."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.core.errors import InputError
from kolm_cli.core.yaml_positions import Position, parse
from kolm_cli.spec.yaml_write import dump

plain: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcdefgh_ ", min_size=1, max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(plain)
def test_what_is_dumped_is_read_back_by_us_and_by_pyyaml(value: Any) -> None:
    data = dump(value)
    document = parse(data, "f")
    assert document.value == value == yaml.safe_load(data)
    assert not document.problems


@given(plain)
def test_every_key_and_value_has_a_position(value: Any) -> None:
    text = dump(value).decode()
    document = parse(text.encode(), "f")
    lines = text.splitlines() or [""]

    def visit(value: Any, path: tuple[str | int, ...]) -> None:
        line, column = document.at(path)
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1
        items = value.items() if isinstance(value, dict) else []
        for key, inner in items:
            assert document.at((*path, key), key=True) <= document.at((*path, key))
            visit(inner, (*path, key))
        for index, inner in enumerate(value if isinstance(value, list) else []):
            visit(inner, (*path, index))

    visit(value, ())


@given(st.text(max_size=60) | st.text("{}[]&*<:-!|>'\"%@`#? \n\tab1e.,", max_size=60))
def test_any_text_is_read_or_refused_with_one_problem(text: str) -> None:
    refusal = None
    try:
        parse(text.encode("utf-8", "surrogatepass"), "f")
    except InputError as error:  # anything else fails the test
        refusal = error
    assert refusal is None or len(refusal.problems) == 1


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "+1e4", "-1.5e3", "1e+4", "2.0e-5"])
def test_an_exponent_makes_a_number(text: str) -> None:
    value = parse(f"a: {text}".encode(), "f").value["a"]
    assert isinstance(value, float)
    assert value == float(text)


@pytest.mark.parametrize("text", ["e4", "1e", "1e4x", "'1e4'", "2024-01-02"])
def test_what_looks_a_little_like_a_number_is_text(text: str) -> None:
    assert parse(f"a: {text}".encode(), "f").value["a"] == text.strip("'")


def test_our_loader_changes_nobody_elses_yaml() -> None:
    assert yaml.safe_load("a: 1e-4") == {"a": "1e-4"}


def test_positions() -> None:
    document = parse(b"a: 1\nb:\n  c: [x, y]\n", "f")
    assert document.at(("a",)) == Position(1, 4)
    assert document.at(("a",), key=True) == Position(1, 1)
    assert document.at(("b", "c", 1)) == Position(3, 10)
    assert document.at(("b", "none")) == Position(2, 1)  # the key of what lacks it
    assert document.at(("none", "none")) == Position(1, 1)


def test_every_key_that_stands_twice_is_a_problem() -> None:
    document = parse(b"a: 1\nb: {c: 1, c: 2}\na: 2\n'a': 3\n", "f")
    assert [problem.where for problem in document.problems] == [
        "f:3:1: a",
        "f:4:1: a",
        "f:2:11: b.c",
    ]


def test_merged_keys_yield_and_keep_their_own_positions() -> None:
    document = parse(b"a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\nc: {<<: [*a, {z: 4}]}\n", "f")
    assert document.value["b"] == {"x": 3, "y": 2}
    assert document.value["c"] == {"x": 1, "y": 2, "z": 4}
    assert not document.problems
    assert document.at(("b", "x"), key=True) == Position(4, 3)
    assert document.at(("b", "y"), key=True) == Position(1, 14)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (b"a:\n\tb: 1", "f:2:1", "a tab where"),
        (b"a: [1, 2", "f:1:9", "not YAML: expected"),
        (b"a: b: c", "f:1:5", "not YAML: mapping values are not allowed"),
        (b"a: 1\n---\nb: 2", "f:2:1", "a second document"),
        (b"a: \x00", "f:1", "U+0000 is not allowed"),
        (b"a: 1\nb: \xff", "f:2", "not UTF-8"),
        (b"a: !!python/object/apply:os.system [x]", "f:1:4", "is not plain data"),
        (b"a: !!binary eA==", "f:1:4", "is not plain data"),
        (b"a: !!set {x}", "f:1:4", "is not plain data"),
        (b"a: !!int x", "f:1:4", "'x' is not a value"),
        (b"a: " + b"9" * 5000, "f:1:4", "a number of more than 400 characters"),
        (b"a: 0x" + b"f" * 5000, "f:1:4", "a number of more than 400 characters"),
        (b"a: 1" + b":59" * 5000, "f:1:4", "a number of more than 400 characters"),
        (b"a: 1" + b":0" * 190 + b".5", "f:1:4", "is not a value"),
        (b"a: " + b"1_" * 5000 + b".0", "f:1:4", "a number of more than 400 characters"),
        (b'a: "\\UFFFFFFFF"', "f:1:7", "there is no such character"),
        (b'a: "\\U00110000"', "f:1:7", "there is no such character"),
        (b"{" + b"a," * 30_000 + b"}", "f:1:20001", "more than 20000 keys"),
        (b"1: a", "f:1:1", "a key must be text"),
        (b"? [a]\n: 1", "f:1:3", "a key must be text"),
        (b"a: *none", "f:1:4", "undefined alias"),
        (b"<<: 1", "f:1:5", "only mappings can be merged"),
        (b"[" * 1000, "f:1:33", "nested deeper than 32"),
        (b"a: &a [*a]", "f:1:4", "nested deeper than 32"),
        (b"a: &a {<<: *a}", "f:1:4", "merged deeper than 32"),
        (b"#" * (2**20 + 1), "f", "more than the 1048576 allowed"),
    ],
)
def test_refused(text: bytes, where: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "f")
    (problem,) = caught.value.problems
    assert what in problem.what
    assert problem.where == where


@pytest.mark.parametrize(
    ("first", "opening", "closing"), [("[x, x]", "[", "]"), ("{x: 1}", "{<<: [", "]}")]
)
def test_a_billion_laughs_are_counted_not_laughed(first: str, opening: str, closing: str) -> None:
    lines = [f"l0: &l0 {first}"]
    for n in range(1, 25):
        nine = ", ".join([f"*l{n - 1}"] * 9)
        lines.append(f"l{n}: &l{n} {opening}{nine}{closing}")
    with pytest.raises(InputError, match="aliases expanded"):
        parse("\n".join(lines).encode(), "f")


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert parse("\ufeffa: 1".encode(), "f").value == {"a": 1}
