"""`kolm diff` reads strangers' specs: bounded, and without a crash on any value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bundle import factory
from tests.registry.helpers import bundle
from tests.support.jobs import Job

BOMB = b"kolm: 1\na: &a [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n" % (c, c, *[c - 1] * 10)
    for c in range(ord("b"), ord("p"))
)


def diff(tmp_path: Path, spec: bytes, *more: str) -> tuple[int, str, str]:
    job = Job(tmp_path)
    bundle(tmp_path / "a.kolm")
    files = {**factory.make_files(), "spec.yaml": spec}
    factory.make_bundle(tmp_path / "b.kolm", files=files)
    done = job.kolm("diff", "a.kolm", "b.kolm", *more)
    return done.code, done.out, done.err


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (BOMB, "an anchor or an alias"),
        (b"kolm: 1\na: &a\n  b: *a\n", "an anchor or an alias"),
        (b"[" * 50_000, "32 levels"),
        (b"kolm: 1\na: !!binary aGVsbG8=\n", "a tag"),
        (b"kolm: 1\na: !!set {x, y}\n", "a tag"),
        (b"kolm: 1\na: " + b"9" * 5000 + b"\n", "is not plain YAML"),
        (b"kolm: 1\na: 2026-13-45\n", "is not plain YAML"),
        (b"kolm: 1\na: 0x" + b"f" * 5000 + b"\n", "more than 400 characters"),
        (b"kolm: 1\na: 1" + b":59" * 200_000 + b"\n", "more than 400 characters"),
        (b'kolm: 1\na: "\\UFFFFFFFF"\n', "no such character"),
        (b"kolm: 1\n1: a\n", "a key that is not text"),
        (b"kolm: 1\na: {null: 1}\n", "a key that is not text"),
        (b"kolm: 1\na: {<<: {b: 1}, b: 2}\n", "a key that is not text"),
        (b"kolm: 1\nkolm: 1\n", "occurs twice"),
        (b"- kolm\n", "is not a mapping"),
        (b"\xff\xfe", "spec.yaml"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(spec: bytes, words: str, tmp_path: Path) -> None:
    code, _, err = diff(tmp_path, spec)
    assert code == 4, err
    assert "b.kolm" in err
    assert words in err


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-01-31", "2026-01-31"),
        (".nan", "nan"),
        ("-.inf", "-inf"),
        ("9" * 400, "9" * 400),
        ("190:20:30", "685230"),
    ],
)
def test_any_value_is_shown(value: str, shown: str, tmp_path: Path) -> None:
    spec = f"kolm: {value}\nname: tiny-chart\n".encode()
    code, out, err = diff(tmp_path, spec)
    assert code == 0, err
    assert f"kolm: 1 -> {shown}" in out
    code, out, err = diff(tmp_path, spec, "--json")

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    assert str(json.loads(out, parse_constant=refuse)["spec"]["kolm"][1]) == shown


def test_a_number_that_is_changed_by_more_than_floats_hold(tmp_path: Path) -> None:
    job = Job(tmp_path)
    for name, value in (("a", "1"), ("b", "9" * 400)):
        spec = f"kolm: {value}\nname: tiny-chart\n".encode()
        factory.make_bundle(
            tmp_path / f"{name}.kolm", files={**factory.make_files(), "spec.yaml": spec}
        )
    done = job.kolm("diff", "a.kolm", "b.kolm")
    assert done.code == 0, done.err
    assert "kolm: 1 -> 999" in done.out
