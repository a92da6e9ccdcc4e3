"""`kolm capture ls`, `show` and `stats`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kolm_cli.cli.commands.capture import options
from kolm_cli.cli.output import Output
from kolm_cli.core.printable import one_line

if TYPE_CHECKING:
    from kolm_cli.capture.pairs import StoredPair
    from kolm_cli.capture.store import Store

# No store has more pairs, and more than a machine word is no limit.
_MOST = 1 << 60


def ls(
    namespace: Annotated[
        str | None, typer.Argument(metavar="NS[@SPLIT]", help="List this namespace's pairs.")
    ] = None,
    since: options.Since = None,
    until: options.Until = None,
    model: options.Model = None,
    tag: options.Tag = None,
    text: options.Says = None,
    review: options.Review = None,
    source: options.Source = None,
    image: options.Image = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="At most this many pairs.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List namespaces, or the pairs of one (or of its part @train or @eval), newest first."""
    from itertools import islice

    from kolm_cli.capture.split import parse_reference
    from kolm_cli.capture.store import Store

    output = Output(as_json=as_json)
    wanted = options.make_filter(since, until, model, tag, text, review, source, image)
    limit = None if limit is None else min(limit, _MOST)
    with Store.open() as store:
        if namespace is None:
            _namespaces(store, output)
            return
        name, split = parse_reference(namespace)
        found = store.pairs(name, split=split, matching=wanted, newest_first=True)
        if as_json:
            output.json_list(pair.as_json() for pair in islice(found, limit))
            return
        none = True
        for pair in islice(found, limit):
            if none:
                output.data(_line("ID", "TIME", "REVIEW", "IMAGES", "SOURCE", "PROMPT -> RESPONSE"))
            none = False
            output.data(_summary(pair))
        if none:
            output.note(f"no pair of {namespace} matches")


def _namespaces(store: Store, output: Output) -> None:
    from dataclasses import asdict

    found = store.namespaces()
    if output.as_json:
        output.json([asdict(summary) for summary in found])
    elif found:
        output.table(
            ("NAMESPACE", "PAIRS", "PENDING", "ACCEPTED", "REJECTED"),
            [
                (s.name, str(s.pairs), str(s.pending), str(s.accepted), str(s.rejected))
                for s in found
            ],
        )
    else:
        output.note("no pairs yet; kolm capture import FILE --to NS brings some in")


def _line(*cells: str) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True))


_WIDTHS = (7, 20, 8, 6, 24, 0)


def _summary(pair: StoredPair) -> str:
    from kolm_cli.core.times import time_text

    prompt = _short(pair.conversation.messages[-2].text if pair.conversation.messages[1:] else "")
    return _line(
        str(pair.id),
        time_text(pair.captured),
        pair.review,
        str(len(pair.conversation.images)),
        _short(pair.source, 24),
        f"{prompt} -> {_short(pair.conversation.response)}",
    )


def _short(text: str, width: int = 40) -> str:
    """`text` on one line; control characters are spelt out."""
    plain = one_line(" ".join(text.split()))
    return plain if len(plain) <= width else plain[: width - 1] + "…"


def show(
    number: Annotated[int, typer.Argument(metavar="ID", help="The pair's number, from ls.")],
    picture: Annotated[bool, typer.Option(help="Draw the image in terminals that can.")] = True,
    as_json: options.Json = False,
) -> None:
    """Print a pair, and its picture in terminals that can show one."""
    import os

    from kolm_cli.capture.store import Store
    from kolm_cli.cli.commands.capture import terminal_picture

    output = Output(as_json=as_json)
    with Store.open() as store:
        pair = store.pair(number)
        if as_json:
            output.json(
                {
                    **pair.as_json(),
                    "image_files": [
                        str(store.image_path(sha256)) for sha256 in pair.conversation.images
                    ],
                }
            )
            return
        way = (
            terminal_picture.way(os.environ)
            if picture and output.on_terminal(stdout=True)
            else None
        )
        _header(pair, output)
        for message in pair.conversation.as_json():
            output.data(f"\n{message['role']}:")
            for part in message["content"]:
                if part["type"] == "text":
                    output.data(part["text"])
                    continue
                path = store.image_path(part["sha256"])
                output.data(f"[image {path}]")
                if way is not None and path.is_file():
                    output.draw(
                        terminal_picture.draw(path.read_bytes(), way) + "\n", on_stdout=True
                    )
        for answer in pair.answers:
            output.data(f"\nalso accepted:\n{answer}")


def _header(pair: StoredPair, output: Output) -> None:
    from kolm_cli.core.times import time_text

    output.data(f"pair {pair.id} in {pair.namespace}")
    output.data(f"digest    {pair.digest}")
    output.data(f"captured  {time_text(pair.captured)} from {one_line(pair.source)}")
    if pair.model:
        output.data(f"model     {one_line(pair.model)}")
    if pair.tags:
        output.data(f"tags      {one_line(', '.join(pair.tags))}")
    by = f" by {one_line(pair.reviewer)}" if pair.reviewer else ""
    output.data(f"review    {pair.review}{by}")
    if pair.corrected_from:
        output.data(f"corrected from {pair.corrected_from}")


def stats(
    namespace: Annotated[str, typer.Argument(metavar="NS")],
    near: Annotated[
        bool, typer.Option("--near", help="Also report near-duplicate images and prompts.")
    ] = False,
    distance: Annotated[
        int, typer.Option("--distance", min=0, max=16, help="Bits (of 64) that may differ.")
    ] = 4,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="At most this many near-duplicates.")
    ] = 200,
    as_json: options.Json = False,
) -> None:
    """Say what a namespace holds, and what in it looks alike."""
    from itertools import islice

    from kolm_cli.capture.near_duplicates import near_duplicates
    from kolm_cli.capture.stats import stats as count
    from kolm_cli.capture.store import Store
    from kolm_cli.cli.live import progress_for

    output = Output(as_json=as_json)
    with Store.open() as store:
        found = count(store, namespace)
        if near:
            with progress_for(output, brief=True) as progress:
                alike = near_duplicates(store, namespace, distance=distance, progress=progress)
                pairs = list(islice(alike, min(limit, _MOST) + 1))
            found["near_duplicates"] = [item.as_json() for item in pairs[:limit]]
            found["more_near_duplicates"] = len(pairs) > limit
    if as_json:
        output.json(found)
        return
    for key, value in found.items():
        if key == "near_duplicates":
            for item in value:
                output.data(
                    f"near      {item['kind']} {item['first']} ~ {item['second']} "
                    f"(distance {item['distance']:g})"
                )
            output.data(f"{len(value)} near-duplicates")
        elif key == "more_near_duplicates":
            if value:
                output.note(f"stopped at {limit}; --limit shows more")
        elif key == "calls_without_pair":
            for reason, calls in value.items():
                output.data(f"no pair   {calls} x {reason}")
        elif isinstance(value, dict):
            text = ", ".join(f"{one_line(str(k))} {v}" for k, v in value.items())
            output.data(f"{key:<10}{text}")
        else:
            output.data(f"{key:<10}{value}")
