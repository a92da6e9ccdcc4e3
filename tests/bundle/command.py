"""The command line, as the tests of bundles use it."""

from __future__ import annotations

from tests.support import command


def kolm(*arguments: str, code: int = 0) -> str:
    """Run a command that must end with this code; returns what it wrote to standard output.

    With what it wrote to standard error, when it is to fail.
    """
    done = command.kolm(*arguments)
    assert done.code == code, done.out + done.err
    return done.out if code == 0 else done.out + done.err
