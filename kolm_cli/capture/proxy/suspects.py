"""Finds the call that ends the process that reads it, so that it cannot do so for ever.

Before calls are stored, their keys are written beside the spool, and taken away afterwards. Keys
that are there at the start are of calls during which an earlier process ended: those are read
one at a time, and one during which it ended again is not read any more.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from kolm_cli.capture.proxy.spool import UNDER_WAY, Call
from kolm_cli.core.files import write_atomic

# A process that was killed for another reason costs a call one of these.
_DEATHS = 2


class Suspects:
    """What was under way when earlier processes ended.

    Attributes:
        left: keys of calls that are still to be read one at a time.
    """

    def __init__(self, spool: Path) -> None:
        self._path = spool / UNDER_WAY
        self.left: set[str] = set()
        self._deaths: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            before = json.loads(self._path.read_bytes())
            self.left = set(before["keys"]) | set(before["left"])
            self._deaths = {str(k): int(v) for k, v in before["deaths"].items()}
            if len(before["keys"]) == 1:
                (key,) = before["keys"]
                self._deaths[key] = self._deaths.get(key, 0) + 1

    def fatal(self, calls: Sequence[Call]) -> Call | None:
        """The call, when it is a single one that ended its reader often enough."""
        if len(calls) == 1 and self._deaths.get(calls[0].key, 0) >= _DEATHS:
            return calls[0]
        return None

    def begin(self, calls: Sequence[Call]) -> None:
        """Note that these are under way.

        Raises:
            OSError: it could not be written.
        """
        state = {
            "keys": [call.key for call in calls],
            "left": sorted(self.left),
            "deaths": self._deaths,
        }
        write_atomic(self._path, json.dumps(state).encode(), mode=0o600, durable=False)

    def done(self, calls: Sequence[Call]) -> None:
        """Note that these are stored."""
        for call in calls:
            self.left.discard(call.key)
            self._deaths.pop(call.key, None)
        if self.left:
            self.begin([])  # the deaths of those that are left stay known
        else:
            self._path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Note that nothing is left of what was under way."""
        self.left.clear()
        self._deaths.clear()
        self._path.unlink(missing_ok=True)
