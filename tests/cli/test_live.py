"""Progress as a user sees it: on a terminal, in a log, and with --json."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kolm_cli.cli.bars import LiveDisplay
from kolm_cli.cli.figures import count, describe, duration, size
from kolm_cli.cli.live import PLAIN_INTERVAL, PlainDisplay, progress_for
from kolm_cli.cli.output import Output
from kolm_cli.cli.pace import Pace
from kolm_cli.core.progress import Progress

WORK = """
import sys, time
from kolm_cli.cli.live import progress_for
from kolm_cli.cli.output import Output
from kolm_cli.cli.pace import Pace
output = Output(as_json="--json" in sys.argv)
with progress_for(output, quiet="--quiet" in sys.argv) as progress:
    progress.stage("checking")
    progress.note("evals.jsonl:3: [bold]cut to fit")
    progress.stage("training", total=20)
    for step in range(1, 21):
        progress.advance(step, loss=1 / step, tokens_per_second=1234.5, eta_seconds=80)
        time.sleep(0.03)
    if "--fail" in sys.argv:
        raise SystemExit(2)
output.data("result")
"""

COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-9]|9[0-7])[0-9;]*m")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def piped(*arguments: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", WORK, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


def on_a_terminal(*arguments: str, **environment: str) -> tuple[str, int]:
    """What a terminal receives on stderr, and the exit code."""
    ours, theirs = pty.openpty()
    settings = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    settings |= {"TERM": "xterm-256color", "COLUMNS": "120"} | environment
    with subprocess.Popen(
        [sys.executable, "-c", WORK, *arguments],
        stderr=theirs,
        stdout=subprocess.DEVNULL,
        env=settings,
    ) as process:
        os.close(theirs)
        received = b""
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # Linux says EIO when the other end is closed
                break
            if not data:
                break
            received += data
        os.close(ours)
        return received.decode(), process.wait()


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_log_gets_few_plain_lines_and_stdout_only_the_result(options: tuple[str, ...]) -> None:
    out, err = piped(*options)
    assert out == "result\n"
    assert err.splitlines() == [
        "checking ...",
        "evals.jsonl:3: [bold]cut to fit",
        "training: 0/20",
        "training: 20/20, loss 0.0500, 1,234 tokens/s, 1:20 left",
    ]


def test_quiet_shows_notes_only() -> None:
    out, err = piped("--quiet")
    assert out == "result\n"
    assert err == "evals.jsonl:3: [bold]cut to fit\n"


def test_a_terminal_gets_a_bar_and_its_cursor_back() -> None:
    text, code = on_a_terminal()
    assert code == 0
    assert "evals.jsonl:3: [bold]cut to fit" in text
    assert "training" in text
    assert "20/20" in text
    assert "loss 0.0500, 1,234 tokens/s" in text
    assert "1:20 left" in text
    assert "━" in text
    assert COLOUR.search(text)
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_the_cursor_comes_back_when_the_work_fails() -> None:
    text, code = on_a_terminal("--fail")
    assert code == 2
    assert "stopped after 0:0" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_no_color_is_honoured() -> None:
    text, _ = on_a_terminal(NO_COLOR="1")
    assert "20/20" in text
    assert not COLOUR.search(text)


def test_a_dumb_terminal_gets_lines() -> None:
    text, _ = on_a_terminal(TERM="dumb")
    assert "\x1b" not in text
    assert "training: 20/20" in text


def test_quiet_leaves_a_terminal_alone() -> None:
    text, _ = on_a_terminal("--quiet")
    assert text.strip() == "evals.jsonl:3: [bold]cut to fit"


def test_lines_come_at_most_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    display = PlainDisplay(Output(), clock=clock)
    display.stage("training", total=100)
    for done in range(1, 51):
        clock.now += 1.0
        display.advance(done, loss=0.5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 + 50 // int(PLAIN_INTERVAL)
    assert lines[1] == "training: 5/100, loss 0.5000, 1:35 left"  # by the pace so far
    display.advance(100)
    assert capsys.readouterr().err == "training: 100/100\n"


def test_a_stage_of_unknown_length(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    display = PlainDisplay(Output(), clock=clock)
    display.stage("reading")
    clock.now += 60
    display.advance(7)
    assert capsys.readouterr().err.splitlines() == ["reading ...", "reading: 7"]


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({}, ""),
        ({"eta_seconds": 3723, "loss": 2}, "loss 2.0000, 1:02:03 left"),
        ({"accuracy": 0.91, "rows": 3, "lr": 1e-4}, "accuracy 0.9100, rows 3, lr 0.0001"),
        ({"loss": "unknown", "best_row": "a:1"}, "loss unknown, best row a:1"),
    ],
)
def test_figures(figures: dict[str, float | str], words: str) -> None:
    assert describe(figures) == words


@pytest.mark.parametrize(
    ("done", "total", "unit", "text"),
    [
        (0, 20, "", "0/20"),
        (1234, 3000, "rows", "1,234/3,000 rows"),
        (1234, None, "images", "1,234 images"),
        (1_324_174, 2_648_348, "bytes", "1.3/2.6 MB"),
        (0, 2_648_348, "bytes", "0.0/2.6 MB"),
        (3_500_000_000, 16_000_000_000, "bytes", "3.5/16.0 GB"),
        (12, 900, "bytes", "12/900 B"),
        (4096, None, "bytes", "4.1 kB"),
    ],
)
def test_counts_have_their_unit(done: int, total: int | None, unit: str, text: str) -> None:
    assert count(done, total, unit) == text


def test_sizes() -> None:
    assert [size(n) for n in (0, 999, 1000, 2_648_348, 10**12)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "2.6 MB",
        "1000.0 GB",
    ]


def test_durations() -> None:
    assert [duration(s) for s in (-1, 0, 59.6, 3599, 3600)] == [
        "0:00",
        "0:00",
        "1:00",
        "59:59",
        "1:00:00",
    ]


def test_bars_of_stages_that_are_over_say_how_long_they_took() -> None:
    clock, stream = Clock(), io.StringIO()
    with LiveDisplay(Output(), clock=clock, stream=stream) as display:
        display.stage("reading")
        clock.now += 61
        display.advance(7, rows=7)
        display.stage("training", total=4)
        clock.now += 2
        display.advance(2, loss=0.25)
        display.close()  # as an error in the middle would
    lines = [re.sub(r"[━╸╺ ]+", " ", line).strip() for line in stream.getvalue().splitlines()]
    assert lines[-2:] == ["reading 7 rows 7, in 1:01", "training 2/4 loss 0.2500, in 0:02"]


def test_nothing_shifts_while_figures_change() -> None:
    """The columns of every line begin where those of the others do, at any width."""
    for width in (80, 110, 200):
        clock, stream = Clock(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COLUMNS", str(width))
            display = LiveDisplay(Output(), clock=clock, stream=stream)
        with display:
            for name, total, unit in (
                ("read data", None, ""),
                ("check training rows", 3000, "rows"),
                ("a name that is longer than its column", 7, "steps"),
                ("store", 123_456_789, "bytes"),
            ):
                display.stage(name, total, unit)
                clock.now += 1
                display.advance(5, loss=0.5, tokens_per_second=123456.0)
            clock.now += 1
        lines = stream.getvalue().splitlines()[-4:]
        assert all(len(line) <= width for line in lines)
        ends = {len(line[: line.index("loss")]) for line in lines}
        assert len(ends) == 1, lines
        assert lines[-1].split("loss")[0].endswith(" 0.0/123.5 MB ")


def test_the_time_left_follows_the_pace_of_late() -> None:
    """A slow first batch says nothing of the others; at the end nothing is left."""
    pace = Pace(0.0)
    assert pace.seconds_left(100) is None
    pace.mark(60.0, 1)  # loading, warming up
    for second in range(1, 81):
        pace.mark(60.0 + second, 1 + second)
    left = pace.seconds_left(100)
    assert left is not None
    assert left == pytest.approx(19, abs=1)
    pace.mark(159.0, 100)
    assert pace.seconds_left(100) is None


def test_the_time_left_runs_on_between_two_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    clock = Clock()
    display = LiveDisplay(Output(), clock=clock, stream=io.StringIO())
    display.stage("train", 10, "steps")
    clock.now += 10
    display.advance(1, loss=0.5)
    task = display._bars.tasks[-1]
    assert display._words(task) == "loss 0.5000, 1:30 left"
    clock.now += 30
    assert display._words(task) == "loss 0.5000, 1:00 left"
    display.close()


def test_bars_without_any_stage(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    with LiveDisplay(Output(), stream=stream) as display:
        display.note("before")
    assert stream.getvalue() == ""  # nothing to show, nothing drawn
    assert capsys.readouterr().err == "before\n"
    with LiveDisplay(Output(), stream=stream) as display:
        display.advance(3)
    assert "working" in stream.getvalue()


def test_control_characters_of_a_note_do_not_reach_the_terminal() -> None:
    stream = io.StringIO()
    with LiveDisplay(Output(), stream=stream) as display:
        display.stage("reading")
        display.note("row \x1b]0;title\x07 [red]x")
    assert "\x07" not in stream.getvalue()
    assert "[red]x" in stream.getvalue()


def test_every_display_is_a_progress() -> None:
    assert isinstance(progress_for(Output()), Progress)
    assert isinstance(progress_for(Output(), quiet=True), Progress)


def test_rich_is_loaded_only_for_a_terminal() -> None:
    code = "import sys, kolm_cli.cli.live\nprint([m for m in sys.modules if m == 'rich.progress'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"
