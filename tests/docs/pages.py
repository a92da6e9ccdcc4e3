"""The documents as the tests see them: pages of fenced blocks, some of which run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = ("sh", "bash", "python")
FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: its page's path in the repository.
        line: where it starts.
        language: `sh`, `bash` and `python` run; every other is something to read.
        text: what is inside.
        mark: the comment directly above it: `not run: WHY`, `run by TEST`, `file: NAME`, `exit: N`.
    """

    page: str
    line: int
    language: str
    text: str
    mark: str

    def marked(self, kind: str) -> str | None:
        """What the mark of this kind says, or None."""
        head, colon, rest = self.mark.partition(":")
        return rest.strip() if colon and head == kind else None

    @property
    def runs(self) -> bool:
        """Whether a test runs it with its page."""
        elsewhere = self.marked("not run") or self.marked("run by")
        return self.language in COMMANDS and not elsewhere

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    """A page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("language")) + 1
        indent = match["indent"]
        inner = "".join(row.removeprefix(indent) for row in match["text"].splitlines(keepends=True))
        found.append(Block(name_of(page), line, match["language"], inner, match["mark"] or ""))
    return found
