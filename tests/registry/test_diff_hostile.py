"""`kolm diff` reads strangers' specs: bounded, and without a crash on any value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bundle import factory
from tests.registry.helpers import bundle
from tests.support.jobs import Job

BOMB = b"kolm: 1\na: &a [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n" % (c, c, *[c - 1] * 10)
    for c in range(ord("b"), ord("p"))
)


def diff(tmp_path: Path, spec: bytes) -> tuple[int, str, str]:
    job = Job(tmp_path)
    bundle(tmp_path / "a.kolm")
    files = {**factory.make_files(), "spec.yaml": spec}
    factory.make_bundle(tmp_path / "b.kolm", files=files)
    done = job.kolm("diff", "a.kolm", "b.kolm")
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


@pytest.mark.parametrize("value", ["2026-01-31", ".nan", "-.inf", "9" * 400, "190:20:30"])
def test_a_value_of_another_form_is_refused(value: str, tmp_path: Path) -> None:
    code, _, err = diff(tmp_path, f"kolm: {value}\nname: tiny-chart\n".encode())
    assert code == 4, err
    assert "b.kolm: agreement: spec.kolm is " in err
    assert "which is not of the form version" in err
