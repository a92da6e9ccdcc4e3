"""The user's own keys over time: listing, finding, rotating and revoking them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from kolm_cli.bundle.signing import keys, public_keys
from kolm_cli.bundle.trust.file import add_key, load_policy, replace_keys, trust_path
from kolm_cli.bundle.trust.policy import TrustedKey
from kolm_cli.core.errors import InputError, Problem

State = Literal["default", "active", "retired", "revoked"]
_FOLDERS: tuple[tuple[State, str], ...] = (
    ("active", "."),
    ("retired", "retired"),
    ("revoked", "revoked"),
)
MIN_PREFIX = 8


@dataclass(frozen=True)
class StoredKey:
    """A key of this user.

    Attributes:
        id: hex SHA-256 of its public key's SPKI DER.
        algorithm: `ecdsa-p256` or `ed25519`.
        state: `default` signs; `active` can; `retired` was rotated out; `revoked` must not.
        folder: where its two files are.
    """

    id: str
    algorithm: str
    state: State
    folder: Path

    @property
    def public_file(self) -> Path:
        """The public key."""
        return self.folder / f"{self.id}.pub.pem"

    @property
    def private_file(self) -> Path:
        """The private key."""
        return self.folder / f"{self.id}.pem"


def stored_keys() -> list[StoredKey]:
    """Every key, the default first."""
    default = keys.default_id()
    found = []
    for state, name in _FOLDERS:
        folder = (keys.keys_folder() / name).resolve()
        for path in sorted(folder.glob("*.pub.pem")):
            key_id = path.name.removesuffix(".pub.pem")
            public = public_keys.from_pem(path.read_bytes())
            if public_keys.key_id(public) != key_id:
                raise InputError(Problem("does not hold the key of its name", str(path)))
            shown: State = "default" if state == "active" and key_id == default else state
            found.append(StoredKey(key_id, public_keys.algorithm(public), shown, folder))
    return sorted(found, key=lambda key: key.state != "default")


def find_key(text: str | None) -> StoredKey:
    """The key with this id or unique beginning of one; without `text` the default.

    Raises:
        InputError: there is none, or several fit.
    """
    found = stored_keys()
    if text is None:
        fitting = [key for key in found if key.state == "default"]
        if not fitting:
            raise InputError(Problem("there is no key yet", "keys", "kolm keys new"))
    elif len(text) < MIN_PREFIX:
        raise InputError(
            Problem(
                "is too short to name one key",
                text,
                f"write at least {MIN_PREFIX} digits of the id",
            )
        )
    else:
        fitting = [key for key in found if key.id.startswith(text.lower())]
    if len(fitting) != 1:
        what = f"{len(fitting)} keys begin so" if fitting else "you have no such key"
        raise InputError(Problem(what, text or "keys", "kolm keys list"))
    return fitting[0]


def rotate(passphrase: str = "") -> tuple[StoredKey | None, keys.Signer]:
    """Replace the default key by a new one of its kind; returns the old and the new.

    What the old one signed stays trusted: rotation is not revocation. Its private half is moved
    to `retired`, where nothing signs with it any more.
    """
    with keys.locked():
        old = next((key for key in stored_keys() if key.state == "default"), None)
        kind: keys.KeyKind = "ed25519" if old and old.algorithm == "ed25519" else "ecdsa-p256"
        new = keys.create(kind, passphrase=passphrase)
        keys.set_default(new.key_id)
        if old:
            _move(old, "retired")
    return old, new


def revoke(text: str) -> StoredKey | None:
    """Revoke a key: it signs no more, and nothing that it signed is trusted.

    Args:
        text: the id, or the unique beginning of one, of a key of this user; or the whole id of
            somebody else's, of whom only the trust file learns. None is returned then.
    """
    with keys.locked():
        own = any(key.id == text for key in stored_keys())
        if public_keys.KEY_ID.fullmatch(text) and not own:
            mark_revoked(text)
            return None
        key = find_key(text)
        mark_revoked(key.id)
        if key.state == "default":
            (keys.keys_folder() / "default").unlink()
        if key.state != "revoked":
            _move(key, "revoked")
    return key


def mark_revoked(key_id: str, path: Path | None = None) -> None:
    """Write into a trust file that a key is revoked, whoever it belongs to."""
    target = path or trust_path()
    now = datetime.now(UTC).replace(microsecond=0)
    known = target.exists() and any(k.id == key_id for k in load_policy(target).keys)
    if not known:
        # Also a key that was never trusted: a later grant for it must not count.
        add_key(target, TrustedKey(key_id, ("*",), revoked=now))
        return
    replace_keys(
        target,
        lambda k: k if k.id != key_id or k.is_revoked(now) else dataclasses.replace(k, revoked=now),
    )


def _move(key: StoredKey, state: str) -> None:
    folder = keys.keys_folder() / state
    folder.mkdir(mode=0o700, exist_ok=True)
    # The private half first: a crash in between must not leave a key that still signs.
    for path in (key.private_file, key.public_file):
        if path.exists():
            path.replace(folder / path.name)
