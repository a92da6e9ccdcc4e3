"""How long a stage still takes, by its pace of late."""

from __future__ import annotations

from collections import deque

# Seconds between two marks that are kept: a stage may report thousands of times a second.
_APART = 0.5


class Pace:
    """The pace of a stage over the second half of its time so far.

    A first batch is slow, since it loads and warms up what the others find warm: its time counts
    less the longer the stage takes, and not at all in the end.
    """

    def __init__(self, now: float) -> None:
        self._begun = now
        self._marks = deque([(now, 0.0)])

    def mark(self, now: float, done: float) -> None:
        """`done` units are finished at the time `now`, in seconds."""
        if len(self._marks) > 1 and now - self._marks[-2][0] < _APART:
            self._marks.pop()
        self._marks.append((now, done))
        half = self._begun + (now - self._begun) / 2
        while len(self._marks) > 2 and self._marks[1][0] <= half:
            self._marks.popleft()

    def seconds_left(self, total: float) -> float | None:
        """Seconds until `total` units are done; None while nobody can know, or when they are."""
        (then, before), (now, done) = self._marks[0], self._marks[-1]
        if not before < done < total:
            return None
        return (now - then) / (done - before) * (total - done)
