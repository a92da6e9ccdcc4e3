"""`kolm capture calls`."""

from __future__ import annotations

from typing import Annotated

import typer

from kolm_cli.cli.commands.capture.options import Json
from kolm_cli.cli.output import Output


def calls(
    retry: Annotated[bool, typer.Option("--retry", help="Try them again.")] = False,
    discard: Annotated[bool, typer.Option("--discard", help="Delete them for good.")] = False,
    allow_image_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-image-host",
            metavar="HOST",
            help="With --retry, fetch images from this public host; repeatable.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List recorded calls that could not be read and are set aside, each with the reason."""
    from kolm_cli.capture.proxy.call_store import CallStore
    from kolm_cli.capture.proxy.calls import CallReader
    from kolm_cli.capture.proxy.fetch import Fetcher
    from kolm_cli.capture.store import Store
    from kolm_cli.core.errors import Problem, raise_if_any

    problems = []
    if retry and discard:
        problems.append(Problem("--retry and --discard exclude each other", fix="keep one"))
    if allow_image_host and not retry:
        problems.append(Problem("--allow-image-host needs --retry", fix="add --retry"))
    raise_if_any(problems)
    output = Output(as_json=as_json)
    with Store.open() as store:
        recorded = CallStore(store, CallReader(Fetcher(tuple(allow_image_host or ()))))
        stored = recorded.retry() if retry else 0
        discarded = recorded.aside.discard() if discard else 0
        kept = [one.as_json() for one in recorded.aside]
    if as_json:
        output.json({"calls": kept, "stored": stored, "discarded": discarded})
        return
    for one in kept:
        output.data(
            f"{one['id']}  {one['time']}  {one['namespace']}  {one['path']}: {one['reason']}"
        )
    if retry:
        output.data(f"stored {stored} calls, {len(kept)} are still set aside")
    elif discard:
        output.data(f"deleted {discarded} calls")
    elif not kept:
        output.note("no call is set aside")
