"""The pages on specs and metrics say what the code does."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic_core import PydanticUndefined

from kolm_cli.scoring.metrics.catalog import names
from kolm_cli.spec.during import DuringSection, EarlyStoppingSection
from kolm_cli.spec.model import Spec
from kolm_cli.spec.section import Section

DOCS = Path(__file__).parents[2] / "docs" / "reference"
ROW = re.compile(r"^\| `([a-z0-9_.@]+)` \| (.+?) \| .+ \|$", re.MULTILINE)


def fields(model: type[Section], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every field of the spec, dotted, with its default."""
    for name, field in model.model_fields.items():
        yield prefix + name, field.default
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from fields(field.annotation, f"{prefix}{name}.")


def documented_default(words: str) -> object:
    if words == "required":
        return PydanticUndefined
    plain = {"none": None, "nothing": ()}
    return plain[words] if words in plain else yaml.safe_load(words.strip("`"))


def test_the_page_names_every_field_once_with_its_default() -> None:
    rows = ROW.findall((DOCS / "spec.md").read_text(encoding="utf-8"))
    known = dict(fields(Spec))
    known |= dict(fields(DuringSection, "evaluate.during."))
    known |= dict(fields(EarlyStoppingSection, "evaluate.during.early_stopping."))
    assert sorted(name for name, _ in rows) == sorted(known)
    for name, words in rows:
        default = known[name]
        if isinstance(default, Section):
            assert words in ("all defaults", "none")
        else:
            assert documented_default(words) == default, name


def test_the_page_of_metrics_names_every_metric() -> None:
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert [name for name, _ in ROW.findall(text)][1:] == list(names())  # after the header
