"""`kolm validate`: the whole preflight, without training."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.options import JsonOption, SetOption
from kolm_cli.cli.output import Output
from kolm_cli.cli.picture_table import picture_lines, picture_table

if TYPE_CHECKING:
    from kolm_cli.pipeline.during import Watched
    from kolm_cli.pipeline.inputs import Inputs
    from kolm_cli.pipeline.preflight import Preflight


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("validate")(validate)


def validate(
    spec: Annotated[Path, typer.Argument(help="The spec file.", show_default=False)],
    show_mask: Annotated[
        int, typer.Option("--show-mask", min=0, help="Print N rows with the supervised part marked")
    ] = 0,
    progress: ProgressOption = None,
    device: Annotated[
        Literal["cpu", "cuda"] | None, typer.Option("--device", help="Instead of the spec's.")
    ] = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Check a spec and every row of its data; train nothing."""
    from kolm_cli.pipeline.inputs import gather
    from kolm_cli.pipeline.preflight import preflight

    output = Output(as_json=json)
    with progress_for(output, progress) as shown:
        shown.stage("read spec")
        inputs = gather(spec, device=device, settings=settings or ())
        checked = preflight(inputs, shown)
    report = _report(inputs, checked)
    masks = _masks(checked, show_mask)
    if json:
        output.json({**report, "masks": masks} if show_mask else report)
        return
    _show(output, report)
    for mask in masks:
        output.data(f"\n{mask['id']}\n{mask['text']}")


def _report(inputs: Inputs, checked: Preflight) -> dict[str, Any]:
    facts = checked.facts
    return {
        "ok": True,
        "name": inputs.spec.name,
        "base": {"model": inputs.base.name, "revision": inputs.base.revision},
        "family": inputs.base.family.name,
        "train": {
            "rows": len(facts),
            "images": len({s for row in checked.train.rows for s in row.conversation.images}),
            "tokens": {
                "total": sum(fact.tokens for fact in facts),
                "longest": max(fact.tokens for fact in facts),
                "image": sum(fact.image_tokens for fact in facts),
                "supervised": sum(fact.supervised for fact in facts),
            },
            "per_row": [asdict(fact) for fact in facts],
            "truncated": [fact.id for fact in facts if fact.cut],
        },
        "eval": {
            "rows": len(checked.pack.rows),
            "per_row": [asdict(fact) for fact in checked.asked],
        },
        **({} if checked.watched is None else {"during": _during(checked.watched)}),
        "pictures": [asdict(line) for line in picture_lines(checked)],
        "optimizer_steps": checked.optimizer_steps,
        "doubts": checked.doubts,
    }


def _during(watched: Watched) -> dict[str, Any]:
    """What is asked while training, and what is left to score."""
    return {
        "rows": [row.id for row in watched.rows],
        "steps": list(watched.steps),
        "held_out": watched.held_out,
        "scored": len(watched.scored),
    }


def _show(output: Output, report: dict[str, Any]) -> None:
    train, tokens = report["train"], report["train"]["tokens"]
    revision = f" at {report['base']['revision'][:12]}" if report["base"]["revision"] else ""
    output.data(f"{report['name']}: the spec and its data are fine")
    output.data(f"  base         {report['base']['model']}{revision} ({report['family']})")
    output.data(
        f"  train        {train['rows']} rows, {train['images']} images, {tokens['total']} tokens"
        f" ({tokens['image']} of images, {tokens['supervised']} supervised)"
    )
    for name, key in (("tokens a row", "tokens"), ("supervised", "supervised")):
        counts = [fact[key] for fact in train["per_row"]]
        output.data(f"  {name:<12} {min(counts)} to {max(counts)}, median {median(counts):g}")
    if train["truncated"]:
        output.data(f"  truncated    {len(train['truncated'])} rows, named above")
    output.data(f"  eval         {report['eval']['rows']} rows")
    if during := report.get("during"):
        last = during["steps"][-1]
        where = f"{during['scored']} others scored" if during["held_out"] else "scored too"
        output.data(
            f"  during       {len(during['rows'])} of them, {len(during['steps'])} times up to step"
            f" {last}; {where}"
        )
    for line in picture_table(report["pictures"]):
        output.data(f"  {line}")
    output.data(f"  steps        {report['optimizer_steps']}")


def _masks(checked: Preflight, count: int) -> list[dict[str, str]]:
    """Rows as the model sees them; what carries loss is between marks."""
    from kolm_cli.encoding.mask_view import marked_text

    return [
        {"id": row.id, "text": marked_text(checked.encoder, row)}
        for row in checked.train.rows[:count]
    ]
