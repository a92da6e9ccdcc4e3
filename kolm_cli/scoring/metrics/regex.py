"""Regex: each accepted answer is a regular expression that the whole prediction has to match.

The expressions are RE2's (google-re2, `pip install 'kolm-cli[metrics]'`), which takes time linear
in the text whatever the expression: Python's own `re` can take years, and the verifier reads
expressions of strangers. RE2 has no back references and no look-around. Its bounds here: an
expression of at most 500 characters and 64 KiB of compiled program, a prediction of at most 4,096
characters; a longer one matches nothing.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.scoring.metrics.base import Metric, MetricOption, best_of, comparable, yes_or_no

LONGEST_PATTERN, LONGEST_TEXT, PROGRAM_BYTES = 500, 4096, 1 << 16

# Half a character of UTF-16, which RE2 cannot be given.
_LONE = re.compile("[\ud800-\udfff]")

CASE = MetricOption("case", "whether case counts: true or false", True, yes_or_no)
SEARCH = MetricOption(
    "search", "whether a match anywhere in the prediction will do: true or false", False, yes_or_no
)


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str, case: bool) -> Any:
    """The compiled expression.

    Raises:
        LackingError: google-re2 is not installed.
        ValueError: it is not an expression of RE2, or too long.
    """
    try:
        import re2
    except ImportError as error:
        raise LackingError(
            Problem("the metric regex needs google-re2", fix="pip install 'kolm-cli[metrics]'")
        ) from error
    if _LONE.search(pattern):
        raise ValueError(f"{pattern!a:.60} holds half a character")
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"a regular expression of more than {LONGEST_PATTERN} characters")
    options = re2.Options()
    options.max_mem, options.log_errors, options.case_sensitive = PROGRAM_BYTES, False, case
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise ValueError(f"{pattern!r:.60} is no regular expression of RE2: {reason}") from error


def _matches(prediction: str, answer: str, *, case: bool, search: bool) -> float:
    compiled, text = _compiled(answer, case), comparable(_LONE.sub("\ufffd", prediction))
    if len(text) > LONGEST_TEXT:
        return 0.0
    return float(bool(compiled.search(text) if search else compiled.fullmatch(text)))


METRIC = Metric(
    name="regex",
    summary="each answer is a regular expression (RE2) that the prediction has to match",
    source="kolm; RE2's syntax, https://github.com/google/re2/wiki/Syntax",
    score=best_of(_matches),
    options=(CASE, SEARCH),
)
