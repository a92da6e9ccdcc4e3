"""`kolm run`: what a bundle's adapter answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kolm_cli.cli.bundle_options import (
    AllowUntrustedOption,
    BaseOption,
    BundleArgument,
    CidOption,
    DeviceOption,
    TrustOption,
)
from kolm_cli.cli.column_options import ColumnOption, FixedOption, columns_from
from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output

if TYPE_CHECKING:
    from kolm_cli.core.progress import Progress
    from kolm_cli.pipeline.asking import Use
    from kolm_cli.records.row import Row


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    bundle: BundleArgument,
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt", help="A question; repeat to go on. Empty where rows had no text either."
        ),
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option("--image", help="An image, where <image> stands or first; repeatable."),
    ] = None,
    system: Annotated[str, typer.Option("--system", help="A system prompt.")] = "",
    messages: Annotated[
        str | None,
        typer.Option(
            "--messages", metavar="FILE", help="A whole conversation as JSON; - is stdin."
        ),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(
            "--rows", metavar="SOURCE", help="Many questions: rows of any format, or images."
        ),
    ] = None,
    column: ColumnOption = None,
    fixed: FixedOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Where answers to --rows go: a .jsonl file; a folder for images."
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, help="Rows at a time, if not the spec's.")
    ] = None,
    base: BaseOption = None,
    device: DeviceOption = None,
    trust: TrustOption = None,
    allow_untrusted: AllowUntrustedOption = False,
    cid: CidOption = None,
    progress: ProgressOption = None,
    json: JsonOption = False,
) -> None:
    """Answer a question, a conversation, or a file of rows with a bundle's adapter."""
    from kolm_cli.bundle.trust.file import load_policy
    from kolm_cli.pipeline import questions
    from kolm_cli.pipeline.asking import Use, answer_turns, require_new
    from kolm_cli.pipeline.bundle_use import Demands
    from kolm_cli.registry.bundle_file import bundle_file

    output = Output(as_json=json)
    _require_one_way(
        prompt=bool(prompt),
        messages=messages is not None,
        rows=rows is not None,
        image=bool(image),
        system=bool(system),
        several=len(prompt or []) > 1,
        only_rows={
            "--out": out is not None,
            "--batch-size": batch_size is not None,
            "--column": bool(column),
            "--fixed": bool(fixed),
        },
    )
    demands = Demands(load_policy(trust), allow_untrusted, cid)
    columns = columns_from(column, fixed)
    if out is not None:
        require_new(out)
    asked: questions.Turns | list[Row]
    with progress_for(output, progress) as shown, bundle_file(bundle) as path:
        use = Use(path, base, device, demands)
        if rows is not None:
            shown.stage("read questions")
            asked = questions.rows(
                rows, columns, prompt=prompt[0] if prompt else None, system=system
            )
            _answer_rows(output, use, asked, out, batch_size, shown)
            return
        if messages is not None:
            asked = questions.Turns(questions.conversation(messages, image or []))
        else:
            asked = questions.turns(prompt or [], image or [], system)
        report = answer_turns(use, asked, shown)
    if json:
        output.json(report)
        return
    for said in report.get("responses", [report]):
        output.data(said["response"])
        if said["finish"] == "length":
            output.note("note: the answer ended at the bundle's evaluate.max_new_tokens")


def _require_one_way(
    *,
    prompt: bool,
    messages: bool,
    rows: bool,
    image: bool,
    system: bool,
    several: bool,
    only_rows: dict[str, bool],
) -> None:
    """Refuse options that contradict each other, or have no effect."""
    from kolm_cli.core.errors import Problem, raise_if_any

    problems = []
    if not (prompt or messages or rows):
        fix = "give --prompt (it may be empty), --messages or --rows"
        problems.append(Problem("there is no question", fix=fix))
    if messages and (prompt or rows or system):
        problems.append(
            Problem("holds the whole conversation", "--messages", "leave the other questions out")
        )
    if rows and (image or several):
        option = "--image" if image else "--prompt"
        problems.append(Problem("has no effect with --rows", option, "leave it out"))
    if not rows:
        problems += [
            Problem("has no effect without --rows", name, "leave it out")
            for name, given in only_rows.items()
            if given
        ]
    raise_if_any(problems)


def _answer_rows(
    output: Output,
    use: Use,
    asked: list[Row],
    out: Path | None,
    batch_size: int | None,
    shown: Progress,
) -> None:
    from kolm_cli.pipeline.asking import answer_rows, to_file, to_folder

    def answers(told: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        return answer_rows(use, asked, told, shown, batch_size=batch_size)

    if out is not None:
        report = to_file(out, answers) if out.suffix else to_folder(out, answers)
        report["out"] = str(out)
        if not output.as_json:
            output.data(f"{out}: {report['rows']} answers")
    elif output.as_json:
        given: list[dict[str, Any]] = []
        report = answers(given.append)
        report["answers"] = given
    else:
        report = answers(output.json_line)
    if output.as_json:
        output.json(report)
    elif cut := report["cut_answers"]:
        output.note(f"note: {cut} answers ended at the bundle's evaluate.max_new_tokens")
