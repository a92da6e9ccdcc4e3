"""`kolm run`: a bundle answers questions, one after the other or many at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from kolm_cli.core.canonical_json import dumps
from kolm_cli.core.errors import InputError, Problem, raise_if_any
from kolm_cli.core.files import atomic_writer, require_writable
from kolm_cli.core.progress import Progress
from kolm_cli.pipeline.bundle_use import Demands, answerer_for
from kolm_cli.pipeline.questions import Turns
from kolm_cli.records.row import Row

if TYPE_CHECKING:
    from kolm_cli.answering.answerer import Answer

Told = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Use:
    """A bundle, and how it is used.

    Attributes:
        bundle: the file.
        base: where a local base is, if not where it was.
        device: `cpu` or `cuda`; what the spec says when None.
        demands: what the bundle must be.
    """

    bundle: Path
    base: Path | None = None
    device: str | None = None
    demands: Demands | None = None


def answer_turns(use: Use, turns: Turns, progress: Progress) -> dict[str, Any]:
    """Ask questions one after the other, each with the answers before it.

    Returns:
        what `kolm run --json` prints: `response` and `finish` are the last answer's.

    Raises:
        InputError: one cannot be asked.
    """
    given: list[Answer] = []
    row = turns.first
    with answerer_for(
        use.bundle, base=use.base, device=use.device, progress=progress, demands=use.demands
    ) as (files, answerer):
        for message in (None, *turns.further):
            if message is not None:
                row = turns.next(row, given[-1].text or "", message)
            raise_if_any(answerer.problems([row], progress))
            progress.stage("answer")
            given += answerer.answer([answerer.encode(row)])
    report: dict[str, Any] = {"cid": files.cid, **_said(given[-1])}
    if turns.further:
        report["responses"] = [_said(answer) for answer in given]
    return report


def answer_rows(
    use: Use, rows: Sequence[Row], told: Told, progress: Progress, *, batch_size: int | None = None
) -> dict[str, Any]:
    """Ask every row, and tell of each answer as soon as it is there.

    Args:
        use: the bundle.
        rows: the questions.
        told: takes `id`, `response` and `finish` of each, in the order of the rows.
        progress: told of the stages.
        batch_size: rows at a time; what the spec says when None.

    Returns:
        the CID, and how many answers there are and how many of them were cut.

    Raises:
        InputError: every row that cannot be asked, before any is.
    """
    cut = 0
    with answerer_for(
        use.bundle, base=use.base, device=use.device, progress=progress, demands=use.demands
    ) as (files, answerer):
        progress.stage("check questions", len(rows), "rows")
        raise_if_any(answerer.problems(rows, progress))
        size = batch_size or int(files.spec["evaluate"]["batch_size"])
        progress.stage("answer", len(rows), "rows")
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            answers = answerer.answer([answerer.encode(row) for row in batch])
            for row, answer in zip(batch, answers, strict=True):
                told({"id": row.id, **_said(answer)})
                cut += answer.cut
            progress.advance(start + len(batch))
    return {"cid": files.cid, "rows": len(rows), "cut_answers": cut}


def _said(answer: Answer) -> dict[str, Any]:
    return {"response": answer.text or "", "finish": answer.finish}


def require_new(out: Path) -> None:
    """Refuse a place for answers that is taken, or cannot be written, before any is given.

    Raises:
        InputError: it exists, or is neither a JSON lines file nor a folder's name.
    """
    if out.exists() or out.is_symlink():
        raise InputError(Problem("exists already", str(out), "remove it, or name another"))
    if out.suffix not in ("", ".jsonl", ".ndjson"):
        fix = "name a .jsonl file, or for images a folder"
        raise InputError(Problem("answers are written as JSON lines", str(out), fix))
    require_writable(out.absolute())


def to_file(out: Path, answers: Callable[[Told], dict[str, Any]]) -> dict[str, Any]:
    """Write answers as JSON lines, whole or not at all."""
    with atomic_writer(out) as stream:

        def write(answer: dict[str, Any]) -> None:
            stream.write(dumps(answer) + b"\n")

        return answers(write)


def to_folder(out: Path, answers: Callable[[Told], dict[str, Any]]) -> dict[str, Any]:
    """Write each answer as `NAME.txt`, under the name of its image; all of them or none."""
    work = Path(mkdtemp(prefix=f".{out.name}.", dir=out.absolute().parent))

    def write(answer: dict[str, Any]) -> None:
        file = work / f"{answer['id']}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{answer['response']}\n", encoding="utf-8")

    try:
        report = answers(write)
        work.chmod(0o755)
        work.rename(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return report
