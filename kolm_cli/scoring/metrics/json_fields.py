"""JSON fields: how many fields of a JSON document are right, as precision, recall and F1.

For models that fill a form. A field is a path to a value that is no object and no list, or an
empty one; it is right where prediction and answer have the same value at the same path. Precision
is the share of the predicted fields that are right, recall the share of the right ones that were
predicted, F1 their harmonic mean, as in van Rijsbergen, "Information Retrieval", 1979. Lists are
compared place by place, or (`list_order: false`) as bags: a value counts at any place of its list,
as often as it occurs. Texts are compared as `exact_match` does; numbers may be off by `tolerance`,
a share of the right one. A prediction that is not JSON, or does not fit `schema`, scores 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from kolm_cli.core import canonical_json
from kolm_cli.scoring.metrics.base import (
    Metric,
    MetricOption,
    Said,
    Weights,
    best_of,
    comparable,
    f1,
    yes_or_no,
)
from kolm_cli.scoring.metrics.json_schema import SCHEMA, fits
from kolm_cli.scoring.metrics.relaxed_accuracy import wrong_share

MAX_BYTES = 1 << 18
SCORES = ("f1", "precision", "recall", "exact")

Path = tuple[str | int, ...]
Fields = dict[Path, list[Any]]

LIST_ORDER = MetricOption(
    "list_order", "whether the order of a list counts: true or false", True, yes_or_no
)
TOLERANCE = MetricOption(
    "tolerance", "how far off a number may be, as a share of the right one: 0 to 1", 0, wrong_share
)
SCORE = MetricOption(
    "score",
    f"what a row's score is: one of {', '.join(SCORES)}",
    "f1",
    lambda value: "" if value in SCORES else "is no such score",
)


def _fields(value: Any, *, list_order: bool) -> Fields:
    found: Fields = defaultdict(list)
    for path, leaf in _leaves(value, (), list_order=list_order):
        found[path].append(leaf)
    return found


def _leaves(value: Any, path: Path, *, list_order: bool) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(item, (*path, name), list_order=list_order)
    elif isinstance(value, list) and value:
        for place, item in enumerate(value):
            yield from _leaves(item, (*path, place if list_order else -1), list_order=list_order)
    else:
        yield path, value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _form(value: Any) -> tuple[str, Any]:
    """A value that is no number, so that true is not 1 and "null" is not null."""
    return type(value).__name__, comparable(value) if isinstance(value, str) else str(value)


def _common(said: Sequence[Any], right: Sequence[Any], tolerance: float) -> int:
    """How many values of two bags are the same, each used once."""
    forms = [Counter(_form(v) for v in side if not _is_number(v)) for side in (said, right)]
    return sum((forms[0] & forms[1]).values()) + _near(
        list(filter(_is_number, said)), list(filter(_is_number, right)), tolerance
    )


def _near(said: list[float], right: list[float], tolerance: float) -> int:
    if not tolerance:
        return sum((Counter(said) & Counter(right)).values())
    share = Fraction(repr(tolerance))
    exact = (Fraction(repr(value)) for value in right)
    # An interval for each right number; in their order, the first number that fits is the best.
    spans = sorted((v - abs(v) * share, v + abs(v) * share) for v in exact)
    numbers = sorted(Fraction(repr(value)) for value in said)
    count = place = 0
    for low, high in spans:
        while place < len(numbers) and numbers[place] < low:
            place += 1
        if place < len(numbers) and numbers[place] <= high:
            count, place = count + 1, place + 1
    return count


def _read(text: str) -> Any:
    return canonical_json.loads(text.encode(errors="replace"), max_bytes=MAX_BYTES)


def _counts(
    prediction: str, answer: str, *, list_order: bool, tolerance: float, schema: Any
) -> tuple[int, int, int]:
    """Fields that are right, that were said, and that are wanted.

    Raises:
        ValueError: the answer is not JSON.
    """
    try:
        right = _fields(_read(answer), list_order=list_order)
    except canonical_json.JSONError as error:
        raise ValueError(f"an accepted answer is not JSON: {error}") from error
    wanted = sum(map(len, right.values()))
    try:
        value = _read(prediction)
    except canonical_json.JSONError:
        return 0, 0, wanted
    if not fits(value, schema):
        return 0, 0, wanted
    said = _fields(value, list_order=list_order)
    common = sum(
        _common(values, right[path], tolerance) for path, values in said.items() if path in right
    )
    return common, sum(map(len, said.values())), wanted


def _score(prediction: str, answer: str, *, score: str, **options: Any) -> float:
    common, said, right = _counts(prediction, answer, **options)
    if score == "exact":
        return float(common == said == right)
    if score == "f1":
        return f1(common, said, right)
    return common / (said if score == "precision" else right) if common else 0.0


def _over_all(rows: Sequence[Said], _: Weights, *, score: str, **options: Any) -> Mapping[str, Any]:
    """Precision, recall and F1 over the fields of all rows; of several answers the best counts."""
    common = said = right = unreadable = 0
    for prediction, answers in rows:
        counts = max(
            (_counts(prediction or "", answer, **options) for answer in answers),
            key=lambda found: f1(*found),
        )
        common, said, right = common + counts[0], said + counts[1], right + counts[2]
        unreadable += counts[1] == 0
    return {
        "precision": common / said if said else 0.0,
        "recall": common / right if right else 0.0,
        "f1": f1(common, said, right),
        "unreadable": unreadable,
    }


METRIC = Metric(
    name="json_fields",
    summary="JSON: precision, recall or F1 of its fields; not JSON is 0",
    source="kolm; precision and recall of van Rijsbergen, Information Retrieval, 1979, over fields",
    score=best_of(_score),
    options=(LIST_ORDER, TOLERANCE, SCORE, SCHEMA),
    details=_over_all,
)
