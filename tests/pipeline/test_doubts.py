"""What can hardly learn is warned of, by `kolm validate` and before `kolm compile` trains."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.pipeline.doubts import unseen_classes
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.row import Row
from tests.support.jobs import Job


@pytest.fixture(scope="module")
def job(new_job: Callable[..., Job]) -> Job:
    return new_job()


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ({"num_train_epochs": 1}, "4 optimizer steps are few"),
        # Digits stood at chance after 80.
        ({"num_train_epochs": 39}, "156 optimizer steps are few"),
        ({"learning_rate": 1e-6}, "train.learning_rate 1e-06 is far below the 2.0e-3"),
        ({"learning_rate": 0.5}, "train.learning_rate 0.5 is far above the 2.0e-3"),
        (
            {"projector_learning_rate": 2e-5},
            "train.projector_learning_rate 2e-05 is far below the 3.0e-3",
        ),
    ],
)
def test_what_can_hardly_learn_is_said_and_is_no_error(
    job: Job, train: dict[str, float], words: str
) -> None:
    job.write_spec(train=train)
    done = job.kolm("validate", "spec.yaml", "--json")
    assert done.code == 0, done.err
    assert any(words in doubt for doubt in done.json["doubts"]), done.json["doubts"]


def test_what_is_proposed_is_not_doubted(job: Job) -> None:
    proposed = {
        "num_train_epochs": 30,
        "per_device_train_batch_size": 1,
        "learning_rate": 2e-3,
        "projector_learning_rate": 3e-3,
    }
    job.write_spec(train=proposed)
    done = job.kolm("validate", "spec.yaml")
    assert done.code == 0, done.err
    assert "WARNING" not in done.err


def rows(*answers: str) -> list[Row]:
    return [
        Row(f"r:{i}", Conversation.of("which?", answer, ())) for i, answer in enumerate(answers)
    ]


def test_a_class_that_is_never_trained() -> None:
    pack = rows("cat", "dog", "cow", "cat", "dog", "cow")
    assert list(unseen_classes("exact_match", rows("Cat", "dog", "dog"), pack)) == [
        "the answer 'cow' of 2 evaluation rows is never given in training"
    ]
    # Answers that are all different are no classes, unless the metric says so.
    names = rows("Ann", "Bob", "Eve")
    assert not list(unseen_classes("exact_match", rows("Tom"), names))
    assert len(list(unseen_classes("classification", rows("Tom"), names))) == 3


def test_the_warning_is_on_stderr_once_and_in_the_json(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.write_spec(train={"learning_rate": 1e-6})
    done = job.kolm("validate", "spec.yaml", "--json")
    said = done.json["doubts"]
    assert len(said) == 3
    assert [done.err.count(f"WARNING: {doubt}\n") for doubt in said] == [1, 1, 1]

    def stop(*_: object, **__: object) -> None:
        raise InputError(Problem("it would train now"))

    monkeypatch.setattr("kolm_cli.pipeline.compile.train", stop)
    started = job.kolm("compile", "spec.yaml")
    assert "it would train now" in started.err
    assert [started.err.count(f"WARNING: {doubt}\n") for doubt in said] == [1, 1, 1]
