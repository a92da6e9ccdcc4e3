"""A chat template that came with a bundle, rendered in a child process with limits.

Templates are programs: the sandbox of transformers keeps them from files and code, but not from
running for ever or filling the memory.
"""

from __future__ import annotations

import json
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from kolm_cli.core.child_process import leave_signals, limit_memory
from kolm_cli.core.errors import Problem, VerificationError
from kolm_cli.encoding.base_processor import RenderError
from kolm_cli.families.base import Family

Messages = list[dict[str, Any]]
Render = Callable[[Messages, bool], str]

# Of a processor: for the first text, and more for each that follows. Real templates take
# milliseconds.
SECONDS, SECONDS_EACH = 10.0, 0.1
MEMORY = 512 << 20
# Characters beyond four times the conversation's: room for a system prompt and marks.
ROOM = 256 << 10


@contextmanager
def guarded(family: Family, processor: Any) -> Iterator[Render]:
    """What renders conversations with the processor's template, as long as the block lasts.

    Start it before the base is loaded: the child is a copy of this process.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_serve, args=(ours, theirs, family, processor), daemon=True)
    child.start()
    theirs.close()
    # A server asks from several threads: an answer goes to whoever asked.
    one_at_a_time = threading.Lock()

    def render(messages: Messages, prompt: bool) -> str:
        try:
            with one_at_a_time:
                ours.send_bytes(json.dumps([messages, prompt]).encode())
                said = json.loads(ours.recv_bytes())
        except (EOFError, OSError) as error:
            child.join(1)
            raise _refused(child.exitcode) from error
        if "too much" in said:
            raise _beyond(said["too much"])
        if "refused" in said:
            raise RenderError(f"the template refuses it: {said['refused']}")
        return str(said["text"])

    try:
        yield render
    finally:
        ours.close()
        child.kill()
        child.join()


def _refused(exit_code: int | None) -> VerificationError:
    if exit_code == -signal.SIGPROF:
        return _beyond(f"takes more than {SECONDS:.0f} seconds of a processor")
    return _beyond(f"ended the process that rendered it ({exit_code})")


def _beyond(what: str) -> VerificationError:
    return VerificationError(
        Problem(f"its chat template {what}", where="processor", fix="do not use this bundle")
    )


def _serve(ours: Connection, requests: Connection, family: Family, processor: Any) -> None:
    """The child: render what is asked for until the other end is closed."""
    ours.close()  # this copy would keep the pipe open when the parent is gone
    leave_signals()
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    limit_memory(MEMORY)
    allowed = SECONDS
    while True:
        try:
            messages, prompt = json.loads(requests.recv_bytes())
        except (EOFError, OSError):
            return
        # Time of a processor, which a loaded machine does not make longer. What is left of it ends
        # the process in the middle of whatever the template does.
        began = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, max(allowed, 0.001))
        answer = _answer(family, processor, messages, prompt=prompt)
        signal.setitimer(signal.ITIMER_PROF, 0)
        allowed = min(SECONDS, allowed + SECONDS_EACH - (time.process_time() - began))
        requests.send_bytes(json.dumps(answer).encode())


def _answer(family: Family, processor: Any, messages: Messages, *, prompt: bool) -> dict[str, str]:
    try:
        text = family.render(processor, messages, prompt=prompt)
    except MemoryError:
        return {"too much": f"takes more than {MEMORY >> 20} MiB of memory"}
    except Exception as error:  # a template may raise whatever Python does
        return {"refused": f"{error}"[:1000] or type(error).__name__}
    if len(text) > ROOM + 4 * len(json.dumps(messages)):
        return {"too much": f"makes {len(text)} characters of one conversation"}
    return {"text": text}
