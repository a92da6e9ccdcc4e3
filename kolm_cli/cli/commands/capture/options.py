"""Options that several capture commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kolm_cli.capture.filters import Filter
    from kolm_cli.core.errors import Problem

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Captured since: 2026-01-31, or 7d, 12h ago."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Captured before.")]
Model = Annotated[str | None, typer.Option("--model", help="Answered by this model.")]
Tag = Annotated[str | None, typer.Option("--tag", help="Has this tag.")]
Says = Annotated[str | None, typer.Option("--text", help="A message says this (any case).")]
Review = Annotated[
    str | None, typer.Option("--review", help="In this state: pending, accepted or rejected.")
]
Source = Annotated[
    str | None, typer.Option("--source", help="Came from this file, or from proxy, add.")
]
Image = Annotated[
    str | None,
    typer.Option("--image", metavar="FILE|SHA256", help="Shows this image."),
]


def make_filter(
    since: str | None,
    until: str | None,
    model: str | None,
    tag: str | None,
    text: str | None,
    review: str | None,
    source: str | None,
    image: str | None,
    ids: tuple[int, ...] = (),
) -> Filter:
    """The filter that the options describe, with everything that is wrong with them at once."""
    from kolm_cli.capture.filters import Filter
    from kolm_cli.capture.pairs import REVIEW_STATES
    from kolm_cli.core.errors import InputError, Problem, raise_if_any
    from kolm_cli.core.times import parse_time

    problems: list[Problem] = []

    def moment(name: str, value: str | None) -> int | None:
        try:
            return None if value is None else parse_time(value)
        except InputError as error:
            problems.extend(Problem(p.what, where=name, fix=p.fix) for p in error.problems)
            return None

    state = next((state for state in REVIEW_STATES if state == review), None)
    if review is not None and state is None:
        problems.append(
            Problem(f"{review!r} is not a state", "--review", "write pending, accepted or rejected")
        )
    wanted = Filter(
        since=moment("--since", since),
        until=moment("--until", until),
        model=model,
        tag=tag,
        text=text,
        review=state,
        source=source,
        image=_digest(image, problems),
        ids=ids,
    )
    raise_if_any(problems)
    return wanted


def _digest(image: str | None, problems: list[Problem]) -> str | None:
    """The SHA-256 that `image` is, or that of the file it names."""
    import re

    from kolm_cli.core import digests
    from kolm_cli.core.errors import Problem
    from kolm_cli.records.images import read_image_file
    from kolm_cli.records.pictures import ImageError

    if image is None:
        return None
    if re.fullmatch(r"[0-9a-f]{64}", image):
        return image
    try:
        return digests.sha256_bytes(read_image_file(Path(image)))
    except ImageError as error:
        problems.append(Problem(str(error), where="--image"))
        return None
