"""Which keys may sign which names: the verifier's own decision, never the bundle's."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

PATTERN = re.compile(r"[a-z0-9._*-]{1,64}", re.ASCII)


def matches(pattern: str, name: str) -> bool:
    """Whether `name` fits `pattern`, in which `*` matches any run of characters.

    The parts between the stars are looked for from left to right, each where it first occurs, so
    that the time grows with the lengths and never with the number of ways to fit.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    *middle, last = rest
    start, end = len(first), len(name) - len(last)
    if start > end or not name.startswith(first) or not name.endswith(last):
        return False
    for part in middle:
        found = name.find(part, start, end)
        if found < 0:
            return False
        start = found + len(part)
    return True


def overlap(a: str, b: str) -> bool:
    """Whether some name fits both patterns."""

    @functools.cache
    def rest(i: int, j: int) -> bool:
        if i == len(a) or j == len(b):
            return not a[i:].strip("*") and not b[j:].strip("*")
        if a[i] == "*":
            return rest(i + 1, j) or rest(i, j + 1)
        if b[j] == "*":
            return rest(i, j + 1) or rest(i + 1, j)
        return a[i] == b[j] and rest(i + 1, j + 1)

    return rest(0, 0)


@dataclass(frozen=True)
class TrustedKey:
    """A key and what it may do.

    Attributes:
        id: hex SHA-256 of the public key's SPKI DER.
        names: patterns of the bundle names that it may sign.
        valid_from: not before this moment.
        valid_until: not from this moment on.
        revoked: True, or since when; outweighs everything else that is said of the key.
        comment: for people.
    """

    id: str
    names: tuple[str, ...]
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    revoked: bool | datetime = False
    comment: str = ""

    def is_revoked(self, now: datetime) -> bool:
        """Whether the key is revoked at this moment."""
        return self.revoked if isinstance(self.revoked, bool) else self.revoked <= now


@dataclass(frozen=True)
class Threshold:
    """How many distinct trusted keys must have signed bundles with a fitting name."""

    name: str
    count: int


@dataclass(frozen=True)
class TrustPolicy:
    """The keys and thresholds of a trust file.

    Attributes:
        keys: grants; a key may have several.
        thresholds: demands; of those that fit a name, the highest counts.
        source: where the policy was read, for messages.
    """

    keys: tuple[TrustedKey, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    source: str = "an empty policy"

    def threshold(self, name: str) -> int:
        """How many trusted signatures a bundle of this name needs: one, unless more is asked."""
        return max([t.count for t in self.thresholds if matches(t.name, name)], default=1)

    def stricter(self, than: Threshold) -> list[Threshold]:
        """Other thresholds that ask for more of some of the same names."""
        return [t for t in self.thresholds if t.count > than.count and overlap(t.name, than.name)]

    def refusal(self, key_id: str, name: str, now: datetime) -> str | None:
        """Why this key's signature under a bundle of this name does not count, None when it does.

        The moment is the verifier's own: what a signature says of its time proves nothing.
        """
        grants = [key for key in self.keys if key.id == key_id]
        if not grants:
            return f"is not in {self.source}"
        if any(key.is_revoked(now) for key in grants):
            return "is revoked"
        fitting = [key for key in grants if any(matches(p, name) for p in key.names)]
        if not fitting:
            allowed = ", ".join(sorted({p for key in grants for p in key.names}))
            return f"may sign {allowed}, not {name}"
        reasons = [_out_of_time(key, now) for key in fitting]
        return None if None in reasons else reasons[0]

    def judge(
        self, key_ids: Iterable[str], name: str, now: datetime
    ) -> tuple[bool, list[str], dict[str, str]]:
        """Whether these signers suffice; who counts; and why each of the others does not."""
        distinct = sorted(set(key_ids))
        refused = {k: r for k in distinct if (r := self.refusal(k, name, now)) is not None}
        counted = [k for k in distinct if k not in refused]
        return len(counted) >= self.threshold(name), counted, refused


def _out_of_time(key: TrustedKey, now: datetime) -> str | None:
    if key.valid_from is not None and now < key.valid_from:
        return f"is not valid before {key.valid_from:%Y-%m-%d %H:%M} UTC"
    if key.valid_until is not None and now >= key.valid_until:
        return f"expired on {key.valid_until:%Y-%m-%d %H:%M} UTC"
    return None
