"""Asking a server every row, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.core.progress import Progress
from kolm_cli.parity.client import Reply, Server, ServerError
from kolm_cli.parity.prompts import messages_of
from kolm_cli.records.row import Row

# So many failures in a row, and the server is taken for broken.
MOST_FAILURES = 5


@dataclass(frozen=True)
class Served:
    """What a server made of a row.

    Attributes:
        reply: its answer; None when there is none.
        error: why there is none.
    """

    reply: Reply | None
    error: str = ""


async def replay(
    server: Server,
    model: str,
    rows: Sequence[Row],
    *,
    max_tokens: int,
    options: Mapping[str, Any],
    parallel: int,
    progress: Progress,
) -> list[Served]:
    """The server's answers, in the rows' order.

    Raises:
        LackingError: it failed several times in a row.
    """
    waiting = iter(range(len(rows)))
    found: list[Served | None] = [None] * len(rows)
    failed = done = 0

    async def work() -> None:
        nonlocal failed, done
        for number in waiting:
            messages = messages_of(rows[number])
            try:
                found[number] = Served(await server.ask(model, messages, max_tokens, options))
                failed = 0
            except ServerError as error:
                found[number] = Served(None, str(error))
                failed += 1
                if failed == MOST_FAILURES:
                    raise LackingError(
                        Problem(f"{failed} rows in a row have no answer: {error}", server.root),
                        hint="look at the server's own log",
                    ) from error
            done += 1
            progress.advance(done)

    progress.stage("ask the server", len(rows), "rows")
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(parallel, len(rows))):
                group.create_task(work())
    except* LackingError as errors:
        raise errors.exceptions[0] from None
    return [each for each in found if each is not None]
