"""What somebody most likely meant by a name that is not known."""

from __future__ import annotations

import pytest

from kolm_cli.core.names import likely_fix

OPTIONS = ("lora_r", "num_train_epochs", "learning_rate")


@pytest.mark.parametrize(
    ("name", "known", "fix"),
    [
        ("lora_rank", OPTIONS, "did you mean lora_r?"),
        ("epochs", OPTIONS, "did you mean num_train_epochs?"),
        ("Learning-Rate", OPTIONS, "did you mean learning_rate?"),
        ("chart_qa", ("chart-qa", "charts"), "did you mean chart-qa?"),
        ("zzz", OPTIONS, "write one of lora_r, num_train_epochs, learning_rate"),
        ("", OPTIONS, "write one of lora_r, num_train_epochs, learning_rate"),
    ],
)
def test_the_likely_name_or_all_of_them(name: str, known: tuple[str, ...], fix: str) -> None:
    assert likely_fix(name, known) == fix


def test_a_name_that_may_be_somebody_s_own_is_only_corrected_when_nearly_the_same() -> None:
    assert likely_fix("promt", ("prompt",), "-", nearly=True) == "did you mean prompt?"
    assert likely_fix("prompter_identity", ("prompt",), "-", nearly=True) == "-"
