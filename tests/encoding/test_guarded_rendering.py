"""Templates from strangers are rendered within limits, and honest ones as ever."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.errors import VerificationError
from kolm_cli.encoding import guarded_rendering
from kolm_cli.encoding.base_processor import RenderError
from kolm_cli.encoding.guarded_rendering import guarded
from kolm_cli.families.base import Family
from kolm_cli.families.catalog import by_name
from kolm_cli.records.conversation import Conversation


@pytest.fixture(scope="module")
def text(tiny_base: Callable[[str], Path]) -> tuple[Family, Any]:
    family = by_name("text")
    assert family is not None
    return family, family.load_processor(str(tiny_base("text")), local_files_only=True)


def with_template(text: tuple[Family, Any], template: str) -> tuple[Family, Any]:
    family, processor = text
    processor.chat_template = template
    return family, processor


def asked(family: Family) -> list[dict[str, Any]]:
    return family.messages(Conversation.of("how many?", "", ()))[:1]


def test_it_renders_what_the_family_renders(text: tuple[Family, Any]) -> None:
    family, processor = text
    wanted = family.render(processor, asked(family), prompt=True)
    with guarded(family, processor) as render:
        assert [render(asked(family), True) for _ in range(3)] == [wanted] * 3


def test_threads_get_the_answers_to_their_own_questions(text: tuple[Family, Any]) -> None:
    family, processor = with_template(text, "{{ messages[0]['content'] }}")

    def question(number: int) -> list[dict[str, Any]]:
        return family.messages(Conversation.of(f"question {number}", "", ()))[:1]

    with guarded(family, processor) as render, ThreadPoolExecutor(8) as pool:
        said = pool.map(lambda number: render(question(number), True), range(200))
        assert all(f"question {number}'" in f"{one}'" for number, one in enumerate(said))


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3, "seconds of a processor"),
        ("{% set a = 'x' * 99999999 %}{{ (a * 99999999) | length }}", "MiB of memory"),
        ("{{ 'x' * 9999999 }}", "makes 9999999 characters of one conversation"),
        (
            "{% set n = namespace(a='x') %}{% for i in range(60) %}{% set n.a = n.a + n.a %}"
            "{% endfor %}",
            "MiB of memory",
        ),
    ],
    ids=["time", "memory at once", "text", "memory by doubling"],
)
def test_what_a_template_may_cost(
    text: tuple[Family, Any], template: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "seconds" in words:
        monkeypatch.setattr(guarded_rendering, "SECONDS", 0.5)
    family, processor = with_template(text, template)
    with guarded(family, processor) as render, pytest.raises(VerificationError, match=words):
        render(asked(family), True)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ raise_exception('no system prompt here') }}", "no system prompt here"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{% for", "unexpected"),
    ],
)
def test_what_a_template_refuses_is_its_row_s_fault(
    text: tuple[Family, Any], template: str, words: str
) -> None:
    family, processor = with_template(text, template)
    with guarded(family, processor) as render:
        for _ in range(2):
            with pytest.raises(RenderError, match=words):
                render(asked(family), True)


def test_a_slow_template_is_stopped_however_often_it_is_asked(
    text: tuple[Family, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_rendering, "SECONDS", 0.3)
    monkeypatch.setattr(guarded_rendering, "SECONDS_EACH", 0.001)
    slow = "{% for a in range(300) %}{% for b in range(999) %}{% endfor %}{% endfor %}"
    family, processor = with_template(text, slow)
    with guarded(family, processor) as render:

        def often() -> None:
            for _ in range(1_000):
                render(asked(family), True)

        with pytest.raises(VerificationError, match="seconds of a processor"):
            often()
