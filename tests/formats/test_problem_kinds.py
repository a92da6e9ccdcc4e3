"""What follows from a problem is decided by its kind, never by its words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core import errors
from kolm_cli.core.errors import Problem
from kolm_cli.formats.reader import read_rows
from tests.capture.helpers import png, write_rows

# A record, and the problems of which it consists: nothing beside them follows from a fault.
CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({"imge": "a.png", "prompt": "q", "response": "a"}, {"misspelt:imge"}),
    ({"image": "a.png", "promt": "q", "response": "a"}, {"misspelt:promt"}),
    ({"image": "a.png", "prompt": "q", "respons": "a"}, {"misspelt:respons"}),
    ({"image": "a.png", "prompt": "q"}, {"missing-key:response"}),
    ({"prompt": "q", "response": "a"}, {"missing-key:image"}),
    ({"image": "a.png", "prompt": "q", "response": ""}, {"empty-response"}),
    ({"images": [], "prompt": "", "response": ""}, {"no-prompt", "empty-response"}),
    ({"images": [], "prompt": 3, "response": "a"}, {""}),
    ({"image": "a.png", "prompt": "q", "response": True}, {""}),
    ({"images": [], "messages": [{"role": "user", "content": "q"}]}, {"no-response"}),
]


@pytest.mark.parametrize("reworded", [False, True], ids=["as it is", "reworded"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(sorted(case[1])))
def test_rewording_an_error_changes_nothing(
    case: tuple[dict[str, Any], set[str]],
    reworded: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if reworded:
        # Every message says something else while rows are read.
        plain = errors.Problem.__init__

        def other(self: Problem, what: str, *more: str, **named: str) -> None:
            named.pop("fix", None)
            plain(self, re.sub(r"\w", "x", what), *more[:1], **named)

        monkeypatch.setattr(errors.Problem, "__init__", other)
    (tmp_path / "a.png").write_bytes(png())
    record, kinds = case
    found = list(read_rows(write_rows(tmp_path / "r.jsonl", [record])))
    assert all(isinstance(problem, Problem) for problem in found)
    assert {problem.kind for problem in found if isinstance(problem, Problem)} == kinds
    assert len(found) == len(kinds)
