"""`trust.toml`: read strictly, and edited so that what a person wrote there stays."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from kolm_cli.bundle.signing.public_keys import KEY_ID
from kolm_cli.bundle.trust.blocks import replace_blocks
from kolm_cli.bundle.trust.policy import PATTERN, Threshold, TrustedKey, TrustPolicy
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.files import read_regular, write_atomic
from kolm_cli.core.home import home_path
from kolm_cli.core.ownership import foreign_hands

FORMAT = "kolm-trust/1"
MAX_BYTES = 1 << 20
HEADER = f"""\
# Which keys may sign which bundles, for `kolm verify`. Described in docs/reference/keys.md.
format = "{FORMAT}"
"""
_KEY_FIELDS = {"id", "names", "valid_from", "valid_until", "revoked", "comment"}


def trust_path() -> Path:
    """The user's own trust file."""
    return home_path() / "trust.toml"


def load_policy(path: Path | None = None) -> TrustPolicy:
    """Read a trust file; without `path` the user's own, which may not exist yet.

    Raises:
        InputError: holds everything that is wrong with the file; or others can write it.
    """
    chosen = trust_path() if path is None else path
    data = _read(chosen)
    if data is not None:
        return parse(data, str(chosen))
    if path is None:
        return TrustPolicy(source=str(chosen))
    raise InputError(
        Problem(
            "there is no such trust file",
            str(chosen),
            f"make it: kolm trust add KEY --name NAME --trust {chosen}",
        )
    )


def _read(path: Path) -> bytes | None:
    """The bytes of a trust file that only this user (or root) can have written.

    Returns:
        None when there is no such file.

    Raises:
        InputError: it cannot be read, or others could have written it.
    """
    try:
        data = read_regular(path, MAX_BYTES)
        refuse_foreign_hands(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror}", str(path))) from error
    return data


def refuse_foreign_hands(path: Path) -> None:
    """Refuse a trust file, there or to be written, that others can write.

    Raises:
        InputError: says what to type.
    """
    if problems := foreign_hands(path):
        raise InputError(*problems, hint="a trust file decides whose signatures count")


def parse(data: bytes, source: str) -> TrustPolicy:
    """A policy from the bytes of a trust file."""
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # also a number of too many digits
        raise InputError(Problem(f"is not TOML: {error}", source)) from error
    problems: list[Problem] = []
    for unknown in sorted(set(table) - {"format", "key", "threshold"}):
        problems.append(Problem(f"there is no setting {unknown!r}", source))
    if table.get("format") != FORMAT:
        problems.append(Problem(f'needs the line format = "{FORMAT}"', source))
    keys = [
        _key(item, f"{source}: key {number}", problems)
        for number, item in enumerate(_tables(table, "key", source, problems), 1)
    ]
    thresholds = [
        _threshold(item, f"{source}: threshold {number}", problems)
        for number, item in enumerate(_tables(table, "threshold", source, problems), 1)
    ]
    if problems:
        raise InputError(*problems)
    return TrustPolicy(tuple(keys), tuple(thresholds), source)


def _tables(
    table: dict[str, Any], name: str, source: str, problems: list[Problem]
) -> list[dict[str, Any]]:
    value = table.get(name, [])
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    problems.append(Problem(f"{name} must be written as [[{name}]]", source))
    return []


def _key(item: dict[str, Any], where: str, problems: list[Problem]) -> TrustedKey:
    def wrong(what: str) -> None:
        problems.append(Problem(what, where))

    for unknown in sorted(set(item) - _KEY_FIELDS):
        wrong(f"there is no setting {unknown!r}")
    key_id, names = item.get("id"), item.get("names")
    if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id):
        wrong("id must be the 64 hex digits that `kolm keys show` prints")
    if not isinstance(names, list) or not names or not all(map(_is_pattern, names)):
        wrong("names must be a list of bundle names, in which * matches anything")
        names = []
    moments = {name: _moment(item, name, wrong) for name in ("valid_from", "valid_until")}
    revoked = item.get("revoked", False)
    if not isinstance(revoked, bool):
        # When it cannot be read, the safe reading is the one that refuses.
        revoked = _moment(item, "revoked", wrong) or True
    comment = item.get("comment", "")
    if not isinstance(comment, str):
        wrong("comment must be text")
    return TrustedKey(str(key_id), tuple(names), **moments, revoked=revoked, comment=str(comment))


def _moment(item: dict[str, Any], name: str, wrong: Callable[[str], None]) -> datetime | None:
    value = item.get(name)
    if value is None:
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    wrong(f"{name} must be a date such as 2026-01-31 or 2026-01-31T12:00:00Z, without quotes")
    return None


def _threshold(item: dict[str, Any], where: str, problems: list[Problem]) -> Threshold:
    name, count = item.get("name"), item.get("count")
    if set(item) != {"name", "count"}:
        problems.append(Problem("needs exactly name and count", where))
    elif not isinstance(name, str) or not _is_pattern(name):
        problems.append(Problem("name must be a bundle name, in which * matches anything", where))
    elif type(count) is not int or not 1 <= count <= 16:
        problems.append(Problem("count must be a whole number from 1 to 16", where))
    else:
        return Threshold(name, count)
    return Threshold("*", 16)


def _is_pattern(value: object) -> bool:
    return isinstance(value, str) and PATTERN.fullmatch(value) is not None


def key_block(key: TrustedKey) -> str:
    """A key as a block of TOML."""
    lines = ["[[key]]", f'id = "{key.id}"', f"names = {json.dumps(list(key.names))}"]
    for name in ("valid_from", "valid_until"):
        moment = getattr(key, name)
        if moment is not None:
            lines.append(f"{name} = {_written(moment)}")
    if key.revoked is not False:
        lines.append(f"revoked = {'true' if key.revoked is True else _written(key.revoked)}")
    if key.comment:
        # A JSON string is a TOML one, but for surrogate pairs and DEL.
        text = json.dumps(key.comment, ensure_ascii=False).replace("\x7f", "\\u007f")
        lines.append(f"comment = {text}")
    return "\n".join(lines) + "\n"


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def add_key(path: Path, key: TrustedKey) -> None:
    """Append a key to a trust file, which is made when it is missing."""

    def change(text: str, policy: TrustPolicy) -> tuple[str, TrustPolicy]:
        added = dataclasses.replace(policy, keys=(*policy.keys, key))
        return f"{text.rstrip()}\n\n{key_block(key)}", added

    edit(path, change)


def set_threshold(path: Path, threshold: Threshold) -> int | None:
    """Say how many signatures a name needs, instead of what the file said of it before.

    Returns:
        The earlier count for exactly this name; None when there was none.
    """
    earlier: list[int] = []

    def change(text: str, policy: TrustPolicy) -> tuple[str, TrustPolicy]:
        old = policy.thresholds
        earlier[:] = [known.count for known in old if known.name == threshold.name]
        if not earlier:
            added = dataclasses.replace(policy, thresholds=(*old, threshold))
            return f"{text.rstrip()}\n\n{_threshold_block(threshold)}", added
        first = next(n for n, known in enumerate(old) if known.name == threshold.name)
        new = [
            threshold if n == first else None if known.name == threshold.name else known
            for n, known in enumerate(old)
        ]
        kept = tuple(known for known in new if known is not None)
        changed = replace_blocks(text, "threshold", old, new, _threshold_block)
        return changed, dataclasses.replace(policy, thresholds=kept)

    edit(path, change)
    return max(earlier, default=None)


def _threshold_block(threshold: Threshold) -> str:
    return f'[[threshold]]\nname = "{threshold.name}"\ncount = {threshold.count}\n'


def replace_keys(path: Path, change_key: Callable[[TrustedKey], TrustedKey | None]) -> None:
    """Change or (None) remove keys; comments and everything else stay as they are."""

    def change(text: str, policy: TrustPolicy) -> tuple[str, TrustPolicy]:
        new = [change_key(key) for key in policy.keys]
        kept = tuple(key for key in new if key is not None)
        changed = replace_blocks(text, "key", policy.keys, new, key_block)
        return changed, dataclasses.replace(policy, keys=kept)

    edit(path, change)


def edit(path: Path, change: Callable[[str, TrustPolicy], tuple[str, TrustPolicy]]) -> None:
    """Rewrite a trust file, making sure that the new text says what is meant.

    Raises:
        InputError: the file is wrong, or laid out so that it can only be edited by hand.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Before anything is written beside it.
    _read(path)
    refuse_foreign_hands(path)
    with _locked(path):
        data = _read(path) or HEADER.encode()
        wanted_text, wanted = change(data.decode("utf-8"), parse(data, str(path)))
        try:
            same = parse(wanted_text.encode(), str(path)) == wanted
        except InputError:
            same = False
        if not same:
            raise InputError(
                Problem("has a layout that kolm cannot edit", str(path), "edit it by hand")
            )
        write_atomic(path, wanted_text.encode(), mode=0o600)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_name(f".{path.name}.lock").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
