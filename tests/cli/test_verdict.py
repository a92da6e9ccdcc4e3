"""The end of `kolm compile`: on the terminal, as JUnit XML, as Markdown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from kolm_cli.cli.commands.compile import show_report
from kolm_cli.cli.junit import junit
from kolm_cli.cli.output import Output
from kolm_cli.cli.summary import _plain, summary
from kolm_cli.cli.verdict import lines_of, mistake_text, ruling_text, with_interval
from kolm_cli.scoring.gate import Gate, NoRegression, Reached, judge
from tests.support.jobs import Compiled

PREVIOUS = {
    **{"cid": "b", "difference": 0.02, "at_least": -0.005, "ci95": [-0.01, 0.05]},
    **{"wins": 3, "losses": 1, "p": 0.625},
}
# One of each kind, with what every output has to say of it.
RULINGS = [
    one.as_json()
    for one in judge(
        Gate(
            k=0.7, accuracy=0.8, axes={"S": 0.2, "C": 0.1}, groups={"dates": 0.5},
            worst_group=0.6, no_regression=NoRegression("x:latest"),
        ),
        Reached(
            k=0.61, accuracy=0.84, axes={"S": 0.3}, groups={"dates": 0.55}, previous=PREVIOUS,
            intervals={"accuracy": (0.76, 0.9), "k": (0.6, 0.62), "groups.dates": (0.1, 0.9)},
        ),
    ).rulings
]  # fmt: skip
SAID = [
    "FAILED  k 0.6100 is below the gate's 0.7  (sure: 95 % is 0.6000 to 0.6200 by the latency's"
    " spread)",
    "passed  accuracy 0.8400 reaches the gate's 0.8  (not sure: 95 % is 0.7600 to 0.9000)",
    "passed  axes.S 0.3000 reaches the gate's 0.2  (sure: it is counted)",
    "FAILED  axes.C is undefined, the gate asks for 0.1",
    "passed  groups.dates 0.5500 reaches the gate's 0.5  (not sure: 95 % is 0.1000 to 0.9000)",
    "FAILED  worst_group 0.5500 is below the gate's 0.6 (dates)  (not sure: 95 % is 0.1000 to"
    " 0.9000)",
    "passed  +0.0200 against x:latest, 95% sure of at least -0.0050  (sure: 95 % is -0.0100 to"
    " 0.0500)",
]
MISTAKE = {
    "id": "eval.jsonl:3", "asked": "How many <b>bars</b>?", "accepted": ["4", "four"],
    "answer": "fo\x1b[31m", "base_answer": "5", "score": 0.0, "base_score": 0.0, "group": "",
    "cut": True,
}  # fmt: skip


def test_every_kind_of_gate_in_words() -> None:
    assert [ruling_text(ruling) for ruling in RULINGS] == SAID


def test_a_mistake_in_words_cannot_steer_a_terminal() -> None:
    text = mistake_text(MISTAKE)
    assert 'cut at max_new_tokens, right is "4" or "four"' in text
    assert "\x1b" not in text
    assert "no answer" in mistake_text({**MISTAKE, "answer": None})


def test_everything_is_in_the_terminal_report(compiled: Compiled) -> None:
    report = {**compiled.report, "rulings": RULINGS, "groups": {
        "dates": {"rows": 3, "accuracy": 0.5, "ci95": [0.0, 1.0]},
        "other": {"rows": 3, "accuracy": 0.9, "ci95": [0.5, 1.0]},
    }}  # fmt: skip
    labels = [label for label, _ in lines_of(report)]
    for label in ("base accuracy", "accuracy", "worst group", "K", "latency", "gate"):
        assert label in labels
    text = "\n".join(text for _, text in lines_of(report))
    assert "dates: 0.5000" in text
    assert "the base" in text
    assert "to all" in text
    assert [one for one in text.splitlines() if one.startswith(("passed  ", "FAILED  "))] == SAID


@pytest.mark.parametrize("width", [60, 200])
def test_a_narrow_terminal_has_whole_words(
    compiled: Compiled, width: int, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(Output, "on_terminal", staticmethod(lambda **_: True))
    report = {**compiled.report, "rulings": RULINGS, "cached": False, "mistakes": [MISTAKE]}
    show_report(Output(), {**report, "bundle": "/some where/x.kolm"})
    out = capsys.readouterr().out
    lines = out.splitlines()
    long = [line for line in lines if len(line) >= width]
    assert long == [line for line in lines if line.startswith("cid ") and width == 60]
    assert lines[-3:] == [
        "next           kolm eval '/some where/x.kolm' --wrong 10",
        "               kolm report '/some where/x.kolm'",
        "               kolm verify '/some where/x.kolm'",
    ]
    flat = " ".join(out.split())
    assert all(" ".join(said.split()) in flat for said in SAID)
    assert "\x1b" not in out


def test_junit_has_a_case_for_each_gate(compiled: Compiled) -> None:
    found = Xml.fromstring(junit({**compiled.report, "rulings": RULINGS}))  # noqa: S314
    suite = found.find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("8", "3")
    assert [one.text for one in suite.iter("system-out")] == SAID
    failed = [
        case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None
    ]
    assert failed == ["k", "axes.C", "worst_group"]


def test_the_page_of_a_job_shows_answers_as_they_are(compiled: Compiled) -> None:
    page = summary({**compiled.report, "rulings": RULINGS, "mistakes": [MISTAKE]})
    assert page.startswith("## tiny: gate passed")
    assert "<b>" not in page
    assert "\\<b\\>" in page
    assert " the base |" in page  # a comparison names the other at its end
    for said in SAID:
        assert f"- {_plain(said)}\n" in page


def test_an_interval_without_width_is_not_shown_as_one() -> None:
    assert with_interval(0.0, [0.0, 0.0]) == "0.0000  (every row scored alike)"
    assert with_interval(0.5, [0.25, 0.75]) == "0.5000  (95 %: 0.2500 to 0.7500)"
    assert with_interval(0.5, None) == "0.5000"


def test_junit_leaves_out_what_is_undefined(compiled: Compiled) -> None:
    report = {**compiled.report, "k_score": {**compiled.report["k_score"], "k": None}}
    found = Xml.fromstring(junit(report))  # noqa: S314
    assert "k" not in {one.get("name") for one in found.iter("property")}


@pytest.mark.parametrize("kind", ["--junit", "--summary"])
def test_files_are_written_by_the_command(compiled: Compiled, tmp_path: Path, kind: str) -> None:
    path, out = tmp_path / "report", tmp_path / "tiny.kolm"
    done = compiled.job.kolm("compile", "spec.yaml", "--out", out, kind, path)
    assert done.code == 0, done.err
    assert path.stat().st_size > 100
    lines = done.out.splitlines()
    assert re.match(r"base accuracy  \d\.\d{4}  \((95 %: |every row scored alike)", lines[2])
    assert sum(" right is " in line for line in lines) == len(compiled.report["mistakes"]) <= 3
    assert lines[-3].endswith("--wrong 10")


def test_a_place_that_cannot_be_written_is_said_at_once(compiled: Compiled, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = compiled.job.kolm(
        "compile", "spec.yaml", "--out", tmp_path / "x.kolm", "--junit", tmp_path / "file" / "x.xml"
    )
    assert done.code != 0
    assert not (tmp_path / "x.kolm").exists()


def options(**changes: Any) -> list[str]:
    return [part for key, value in changes.items() for part in ("--set", f"{key}={value}")]


def test_set_says_another_value_and_the_bundle_has_it(
    own_compiled: Compiled, tmp_path: Path
) -> None:
    """The weights are the same, so nothing is trained; the gate and the price are others."""
    import yaml

    from kolm_cli import open_bundle

    out = tmp_path / "other.kolm"
    done = own_compiled.job.kolm(
        "compile", "spec.yaml", "--out", out, "--json",
        *("--set", "evaluate.gate={accuracy: 0.0}", "--set", "evaluate.usd_per_hour=2.5"),
    )  # fmt: skip
    assert done.code == 0, done.err
    with open_bundle(out) as bundle:
        spec = yaml.safe_load(bundle.read("spec.yaml", 1 << 20))
    assert spec["evaluate"]["gate"]["accuracy"] == 0.0
    assert spec["evaluate"]["usd_per_hour"] == 2.5
    assert done.json["cid"] != own_compiled.report["cid"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("train.lora_rank=8", "--set train.lora_rank: there is no option 'lora_rank'"),
        ("train.seed=-1", "--set train.seed: must be at least 0"),
        ("train.seed", "--set: 'train.seed' sets nothing"),
        ("name.first=x", "--set name.first: is no option of a section"),
        ("data.train=none.jsonl", "--set data.train: "),
        ("train.seed=[1", "--set train.seed"),
    ],
)
def test_a_setting_that_is_wrong_is_named(compiled: Compiled, setting: str, words: str) -> None:
    done = compiled.job.kolm("validate", "spec.yaml", "--set", setting)
    assert done.code == 2, done.err
    assert words in done.err
