"""`evaluate.metric` as a name, or as a mapping of name and options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from kolm_cli.scoring.metrics.catalog import names
from kolm_cli.spec.digest_forms import bundle_form
from kolm_cli.spec.load import load_spec
from tests.spec.helpers import problems

NAME = "  metric: relaxed_accuracy"


def load(path: Path) -> object:
    return load_spec(path, metrics=names())


def test_a_mapping_holds_the_options(write: Callable[..., Path]) -> None:
    path = write((NAME, "  metric:\n    name: relaxed_accuracy\n    tolerance: 0.01"))
    evaluate = load_spec(path, metrics=names()).spec.evaluate
    assert evaluate.metric_name == "relaxed_accuracy"
    assert evaluate.metric_options == {"tolerance": 0.01}


def test_a_name_alone_has_one_form(write: Callable[..., Path]) -> None:
    plain = load_spec(write(), metrics=names()).spec
    mapped = load_spec(write((NAME, "  metric: {name: relaxed_accuracy}")), metrics=names()).spec
    assert mapped == plain
    assert plain.evaluate.metric_options == {}


def test_the_bundle_form_is_a_spec_of_the_same_metric(write: Callable[..., Path]) -> None:
    path = write((NAME, "  metric: {name: relaxed_accuracy, tolerance: 0.01}"))
    spec = load_spec(path, metrics=names()).spec
    form = bundle_form(spec, train_digest="a" * 64, eval_digest="b" * 64, base_identity="x/y")
    assert yaml.safe_load(form)["evaluate"]["metric"] == {
        "name": "relaxed_accuracy",
        "tolerance": 0.01,
    }


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (
            "{name: relaxed_accuracy, tolerence: 0.01}",
            "spec.yaml:14:36: evaluate.metric.tolerence: the metric relaxed_accuracy has no option"
            " 'tolerence'; did you mean tolerance?",
        ),
        (
            "{name: relaxed_accuracy, tolerance: 5}",
            "spec.yaml:14:47: evaluate.metric.tolerance: 5 is not a share from 0 to 1; how far off"
            " a number may be, as a share of the right one: 0 to 1",
        ),
        (
            "{name: exact_match, tolerance: 0.1}",
            "spec.yaml:14:31: evaluate.metric.tolerance: the metric exact_match has no option"
            " 'tolerance'; it takes no options",
        ),
        (
            "{name: relaxed_acuracy, tolerance: 0.1}",
            "spec.yaml:14:11: evaluate.metric: there is no metric 'relaxed_acuracy'; did you mean"
            " relaxed_accuracy?",
        ),
        (
            "{tolerance: 0.1}",
            "spec.yaml:14:11: evaluate.metric: {'tolerance': 0.1} is not a metric; write its name,"
            " a mapping of name and options, or a list of such mappings",
        ),
        (
            "12",
            "spec.yaml:14:11: evaluate.metric: 12 is not a metric; write its name, a mapping of"
            " name and options, or a list of such mappings",
        ),
    ],
)
def test_every_mistake_is_named_with_its_place(
    write: Callable[..., Path], metric: str, expected: str
) -> None:
    assert problems(write((NAME, f"  metric: {metric}")), load) == [f"DIR/{expected}"]


def test_a_price_that_no_machine_has_is_refused(write: Callable[..., Path]) -> None:
    path = write(("usd_per_hour: 1.80", "usd_per_hour: 1.0e306"))
    assert problems(path, load) == [
        "DIR/spec.yaml:15:17: evaluate.usd_per_hour: must be at most 1e+06, but is 1e+306"
    ]


def test_a_list_is_one_metric_of_several(write: Callable[..., Path]) -> None:
    path = write((NAME, "  metric:\n    - {name: cer, weight: 3}\n    - {name: exact_match}"))
    evaluate = load_spec(path, metrics=names()).spec.evaluate
    assert evaluate.metric_name == "weighted"
    assert evaluate.metric_options["metrics"][0] == {"name": "cer", "weight": 3}


@pytest.mark.parametrize("metric", ["[cer, wer]", "[]", "[{name: cer}, {name: crr}]", "weighted"])
def test_a_list_that_is_wrong_is_refused(write: Callable[..., Path], metric: str) -> None:
    found = problems(write((NAME, f"  metric: {metric}")), load)
    assert len(found) == 1
    assert found[0].startswith("DIR/spec.yaml:14:")
