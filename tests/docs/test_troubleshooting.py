"""Each message of the troubleshooting page is one that kolm can print."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import kolm_cli
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "how-to" / "troubleshooting.md"


def texts() -> list[str]:
    """Every text in the code, with `…` for what is filled in."""
    found = []
    for path in sorted(Path(kolm_cli.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = (getattr(part, "value", None) for part in node.values)
                found.append("".join(p if isinstance(p, str) else "…" for p in parts))
    return found


def test_every_message_of_the_page_is_in_the_code() -> None:
    known = texts()
    messages = re.findall(r"^### (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(messages) > 20
    for message in messages:
        pattern = ".*".join(re.escape(part.strip()) for part in message.split("…"))
        assert any(re.search(pattern, text) for text in known), message
