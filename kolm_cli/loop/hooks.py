"""Telling the world, at least once, by a command or a POST; and asking a command."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import queue
import shlex
import signal
import subprocess
import threading
from collections.abc import Sequence
from typing import Any
from urllib import error as url_error
from urllib import request
from urllib.parse import urlsplit

from kolm_cli.core.errors import ExitCode, InputError, LackingError, Problem
from kolm_cli.core.progress import Progress
from kolm_cli.loop.journal import Hook, Journal

COMMAND_SECONDS = 600
# One that is asked may start a server first, and load weights into it.
ASKED_SECONDS = 4 * 3600
# The exit code that says no for good; kolm's own commands end so where a gate is not met.
REFUSED = int(ExitCode.GATE)
WEBHOOK_SECONDS = 30
# With it, a webhook carries a signature that its receiver can check.
SECRET_VARIABLE = "KOLM_LOOP_SECRET"  # noqa: S105  # the name of a variable
_SECRETS = ("KOLM_SIGNING_KEY", "KOLM_KEY_PASSPHRASE", SECRET_VARIABLE)
_SHOWN = 300


def command(line: str, event: dict[str, Any]) -> Hook:
    """A command that is owed."""
    return Hook(0, "command", line, event, 0, "waiting", "")


def webhook(address: str, event: dict[str, Any]) -> Hook:
    """A POST that is owed."""
    return Hook(0, "webhook", address, event, 0, "waiting", "")


def check_command(line: str) -> list[str]:
    """The words of a command line.

    Raises:
        InputError: it has none, or a quotation without an end.
    """
    try:
        words = shlex.split(line)
        line.encode()
    except ValueError as error:
        raise InputError(
            Problem(f"{line!r:.100}: {error}", "a hook", "write a command as a shell takes it")
        ) from error
    if not words:
        raise InputError(Problem("is empty", "a hook", "write a command"))
    return words


def check_address(address: str) -> str:
    """The address, if it is one.

    Raises:
        InputError: it is not http or https, or has no host.
    """
    try:
        parts = urlsplit(address)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits or not address.isascii() or not address.isprintable() or " " in address:
        raise InputError(
            Problem(
                f"{address!r:.100} is no address",
                "--webhook",
                "write http:// or https:// and a host",
            )
        )
    return address


def make_owed_calls(journal: Journal, progress: Progress) -> list[str]:
    """Make every call that is owed; what fails stays owed, and is returned in words."""
    failures = []
    for hook in journal.owed():
        progress.stage(f"hook: {hook.kind}")
        error = _run(hook) if hook.kind == "command" else _post(hook)
        journal.tried(hook, error)
        if error:
            failures.append(f"{hook.target}: {error}")
            progress.note(f"the {hook.kind} {hook.target} failed and is tried again: {error}")
    return failures


def refusals(commands: Sequence[str], event: dict[str, Any], progress: Progress) -> list[str]:
    """Ask every command whether a bundle may be promoted; why not, in words.

    Raises:
        LackingError: one could not say: it ended with another code than 0 and 3.
    """
    found, lacking = [], []
    for line in commands:
        progress.stage(f"ask {check_command(line)[0]}")
        code, error = _call(line, event, ASKED_SECONDS)
        if code == REFUSED:
            found.append(f"{line}: {error}")
        elif error:
            lacking.append(Problem(error, line))
    if lacking:
        raise LackingError(
            *lacking, hint=f"the next turn asks again; a command refuses a bundle with {REFUSED}"
        )
    return found


def _run(hook: Hook) -> str:
    """Run a command; what is wrong, or nothing."""
    return _call(hook.target, hook.event, COMMAND_SECONDS)[1]


def _call(line: str, event: dict[str, Any], seconds: int) -> tuple[int | None, str]:
    """Run a command in a session of its own: its exit code, and what is wrong, or nothing."""
    environment = {k: v for k, v in os.environ.items() if k not in _SECRETS}
    for name, value in event.items():
        environment[f"KOLM_LOOP_{name.upper()}"] = "" if value is None else str(value)
    try:
        process = subprocess.Popen(
            check_command(line),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError, InputError) as error:
        return None, str(error)
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None, f"it ran longer than {seconds} seconds"
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    code = process.returncode
    if code == 0:
        return 0, ""
    tail = said.decode(errors="replace").strip()[-_SHOWN:]
    return code, f"it ended with {code}: {tail}" if tail else f"it ended with {code}"


class _NoRedirect(request.HTTPRedirectHandler):
    """The address that was given is the one that is told, and no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _post(hook: Hook) -> str:
    """Send the event; what is wrong, or nothing."""
    body = json.dumps(hook.event, sort_keys=True).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "kolm-loop"}
    secret = os.environ.get(SECRET_VARIABLE)
    if secret:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers["X-Kolm-Signature"] = f"sha256={digest}"
    # On a thread: the library bounds each read alone, and an answer may come byte by byte.
    heard: queue.Queue[str] = queue.Queue()
    sent = threading.Thread(
        target=lambda: heard.put(_send(hook.target, body, headers)), daemon=True
    )
    sent.start()
    try:
        return heard.get(timeout=WEBHOOK_SECONDS)
    except queue.Empty:
        return f"it did not answer within {WEBHOOK_SECONDS} seconds"


def _send(address: str, body: bytes, headers: dict[str, str]) -> str:
    """One POST; what is wrong, or nothing."""
    opener = request.build_opener(_NoRedirect)
    try:
        call = request.Request(check_address(address), body, headers)  # noqa: S310  # checked
        with opener.open(call, timeout=WEBHOOK_SECONDS):
            return ""
    except url_error.HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except (OSError, http.client.HTTPException, ValueError, InputError) as error:
        return str(getattr(error, "reason", error))[:_SHOWN]
