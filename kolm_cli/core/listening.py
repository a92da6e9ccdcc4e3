"""A socket that listens, and why one cannot."""

from __future__ import annotations

import errno
import socket

from kolm_cli.core.errors import LackingError, Problem

_FIXES = {
    errno.EADDRINUSE: "another program listens there: stop it, or write --port 0 for a free port",
    errno.EACCES: "ports below 1024 are the administrator's: write a higher --port",
    errno.EADDRNOTAVAIL: "write an address of this machine: 127.0.0.1, or 0.0.0.0 for all of them",
}


def listening(host: str, port: int, backlog: int) -> socket.socket:
    """A socket that listens there; port 0 is any that is free.

    Raises:
        LackingError: the port is taken, or the address is not this machine's.
    """
    host.encode()  # a name in no text ends a command as all such arguments do
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay (40 ms a call) off only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        why = errno.EADDRNOTAVAIL if isinstance(error, socket.gaierror) else error.errno
        fix = _FIXES.get(why or 0, "write another --port")
        what = f"cannot listen: {error.strerror or error}"
        raise LackingError(Problem(what, f"{host}:{port}", fix)) from error
    return listener
