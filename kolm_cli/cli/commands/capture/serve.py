"""`kolm capture proxy` and `kolm capture review`."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from typing import Annotated, Any

import typer

from kolm_cli.cli.output import Output


def proxy(
    to: Annotated[str, typer.Option("--to", metavar="NS", help="The namespace to fill.")],
    upstream: Annotated[
        str, typer.Option("--upstream", metavar="URL", help="The API: https://api.openai.com/v1")
    ],
    host: Annotated[
        str, typer.Option("--host", help="Bind to this address; beyond loopback needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = 8788,
    allow_image_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-image-host",
            metavar="HOST",
            help="Fetch images that calls name by URL from this public host; repeatable.",
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-origin",
            metavar="ORIGIN",
            help="Let web pages of this origin use the proxy; repeatable.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON lines, also on a terminal.")
    ] = False,
) -> None:
    """Record what passes between an application and its vision API.

    The application sets its base URL to the proxy's and keeps working. KOLM_PROXY_TOKEN holds
    the token that clients must send as X-Kolm-Token.
    """
    from kolm_cli.capture.proxy.access import TOKEN_VARIABLE
    from kolm_cli.core.errors import LackingError, Problem
    from kolm_cli.core.home import kolm_home

    try:
        from kolm_cli.capture.proxy.server import Settings, run
    except ImportError as error:
        raise LackingError(
            Problem(f"the proxy needs the package {error.name}"),
            hint="pip install 'kolm-cli[proxy]'",
        ) from error
    from kolm_cli.capture.store import Store

    home = kolm_home()
    Store.open(home).close()
    settings = Settings(
        namespace=to,
        upstream=upstream,
        host=host,
        port=port,
        token=os.environ.get(TOKEN_VARIABLE, ""),
        image_hosts=tuple(allow_image_host or ()),
        home=home,
        origins=tuple(allow_origin or ()),
    )
    output = Output()
    screen = _Screen(output, to, upstream) if output.on_terminal() and not as_json else None

    def write(event: dict[str, Any]) -> None:
        if screen is not None:
            screen.show(event)
        else:
            output.json_line(event)

    reporter = _Reporter(write)
    try:
        run(settings, reporter.report)
    finally:
        reporter.close()
        if screen is not None:
            screen.close()


class _Reporter:
    """Writes reports on a thread: whoever reads them slowly must not hold up the traffic."""

    def __init__(self, write: Callable[[dict[str, Any]], None]) -> None:
        self._write = write
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def report(self, event: dict[str, Any]) -> None:
        # Of reports that pile up, the next one says the same and more.
        if event["event"] != "progress" or self._queue.empty():
            self._queue.put(event)

    def _run(self) -> None:
        # A reader that is gone takes the reports with it, not the proxy.
        with contextlib.suppress(OSError):
            while (event := self._queue.get()) is not None:
                self._write(event)

    def close(self) -> None:
        """Write what is left, unless nobody reads."""
        self._queue.put(None)
        self._thread.join(timeout=2)


# Reasons that the screen has lines for; `kolm capture stats` lists them all.
_REASONS = 3


class _Screen:
    """A few lines that are redrawn in place."""

    def __init__(self, output: Output, namespace: str, upstream: str) -> None:
        # rich is slow to load, and only a terminal needs it.
        from kolm_cli.cli.bars import LiveLines

        self._output = output
        self._head = f"capturing to {namespace}, upstream {upstream}"
        self._drawn = LiveLines()

    def show(self, event: dict[str, Any]) -> None:
        if event["event"] == "listening":
            self._output.note(f"{self._head}\nbase URL  {event['url']}/v1   (Ctrl-C stops)")
            return
        calls = f"{event['in_flight']} under way, {event.get('rate', 0):.0f}/s"
        pairs = f"{event['new_pairs']} new, {event['without_pair']} calls without a pair"
        lines = [
            (f"calls     {event['calls']}  ({calls})", ""),
            (f"pairs     {event['pairs']}  ({pairs})", ""),
        ]
        for reason, count in list(event.get("reasons", {}).items())[:_REASONS]:
            lines.append((f"no pair   {count} x {reason}", ""))
        if aside := event["set_aside"]:
            lines.append((f"set aside {aside} calls; see kolm capture calls", "red"))
        missed, restarts = event["not_recorded"], event["faults"]
        if missed or restarts or event["trouble"]:
            state = event["trouble"] or "is working again"
            lines.append((f"RECORDING {state}; {missed} calls missed, {restarts} restarts", "red"))
        if event["last"]:
            text = ", ".join(f"{key}: {value}" for key, value in event["last"].items())
            lines.append((f"last      {' '.join(text.split())}", ""))
        self._drawn.show(lines)

    def close(self) -> None:
        self._drawn.close()


def review(
    namespace: Annotated[str, typer.Argument(metavar="NS")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = 0,
    reviewer: Annotated[
        str, typer.Option("--as", metavar="NAME", help="Who reviews; by default your user name.")
    ] = "",
    browse: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
) -> None:
    """Look through pairs on a local page, and accept, correct or reject each."""
    from kolm_cli.capture.store import Store
    from kolm_cli.core.errors import LackingError, Problem

    try:
        from kolm_cli.capture.review.server import serve
    except ImportError as error:
        raise LackingError(
            Problem(f"the review page needs the package {error.name}"),
            hint="pip install 'kolm-cli[proxy]'",
        ) from error
    import getpass
    import webbrowser

    output = Output()

    def ready(url: str) -> None:
        output.data(url, flush=True)
        output.note("a accepts, r rejects, e edits, j and k move, u takes back; Ctrl-C stops")
        if browse:
            webbrowser.open(url)

    with Store.open() as store:
        serve(store, namespace, reviewer or getpass.getuser(), port, ready)
