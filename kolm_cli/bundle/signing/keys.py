"""Private keys: making, reading and choosing the one that signs.

They live in `$KOLM_HOME/keys` as `<key id>.pem` (PKCS8, mode 0600) beside `<key id>.pub.pem`.
`default` there holds the id of the one that signs; `KOLM_SIGNING_KEY` overrides it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from kolm_cli.bundle.signing import dsse, public_keys
from kolm_cli.bundle.trust.file import add_key, trust_path
from kolm_cli.bundle.trust.policy import TrustedKey
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.files import read_regular, write_atomic
from kolm_cli.core.home import private_folder

SIGNING_KEY = "KOLM_SIGNING_KEY"
PASSPHRASE = "KOLM_KEY_PASSPHRASE"  # noqa: S105  # the name of a variable

MAX_KEY_BYTES = 1 << 16

KeyKind = Literal["ecdsa-p256", "ed25519"]
Ask = Callable[[], str]


@dataclass(frozen=True)
class Signer:
    """A private key that is ready to sign. Neither its text nor its repr shows the key."""

    private: dsse.PrivateKey = field(repr=False)

    @property
    def public(self) -> dsse.PublicKey:
        """The public half."""
        return self.private.public_key()

    @property
    def key_id(self) -> str:
        """Hex SHA-256 of the public key's SPKI DER."""
        return public_keys.key_id(self.public)

    @property
    def public_pem(self) -> bytes:
        """The public key as PEM."""
        return public_keys.to_pem(self.public)

    def sign(self, payload: bytes) -> bytes:
        """The DSSE signature of an in-toto payload."""
        return dsse.sign(self.private, payload)


def keys_folder() -> Path:
    """`$KOLM_HOME/keys`, private."""
    return private_folder("keys")


def generate(kind: KeyKind = "ecdsa-p256") -> Signer:
    """A new key, not stored anywhere."""
    if kind == "ed25519":
        return Signer(ed25519.Ed25519PrivateKey.generate())
    return Signer(ec.generate_private_key(ec.SECP256R1()))


def create(
    kind: KeyKind = "ecdsa-p256", *, passphrase: str = "", trusted: bool = True, comment: str = ""
) -> Signer:
    """Make and store a key. This moment is the only one at which it is trusted by itself.

    Args:
        kind: its algorithm.
        passphrase: encrypts the private key; empty for none.
        trusted: put it into the user's trust file, for every name.
        comment: says in the trust file whose it is.
    """
    signer = generate(kind)
    if trusted:
        # First: a trust file that cannot be written must not leave a key that nobody trusts.
        made = f"made on this machine on {datetime.now(UTC):%Y-%m-%d}"
        add_key(trust_path(), TrustedKey(signer.key_id, ("*",), comment=comment or made))
    store(signer, passphrase)
    return signer


def store(signer: Signer, passphrase: str = "") -> Path:
    """Write a key into the key folder; returns the private key's file."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    pem = signer.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    path = keys_folder() / f"{signer.key_id}.pem"
    write_atomic(path.with_suffix(".pub.pem"), signer.public_pem)
    write_atomic(path, pem, mode=0o600)
    return path


def default_id() -> str | None:
    """The id of the key that signs, None when none was made yet."""
    try:
        text = (keys_folder() / "default").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    return text if public_keys.KEY_ID.fullmatch(text) else None


def set_default(key_id: str) -> None:
    """Choose the key that signs from now on."""
    write_atomic(keys_folder() / "default", f"{key_id}\n".encode(), mode=0o600)


def signer_for_compile(ask: Ask | None = None) -> Signer:
    """The key that signs: `KOLM_SIGNING_KEY`, else the default, made on first use.

    Args:
        ask: asks a person for a passphrase; without it only `KOLM_KEY_PASSPHRASE` is looked at.

    Raises:
        InputError: the key cannot be read. Its content is never part of the message.
    """
    if value := os.environ.get(SIGNING_KEY):
        return _from_environment(value, ask)
    with locked():
        chosen = default_id()
        if chosen is None:
            signer = create()
            set_default(signer.key_id)
            return signer
    return load(chosen, ask)


def load(key_id: str, ask: Ask | None = None) -> Signer:
    """A key of the key folder.

    Raises:
        InputError: there is none with this id, others can read it, or the passphrase is wrong.
    """
    path = keys_folder() / f"{key_id}.pem"
    try:
        data = read_regular(path, MAX_KEY_BYTES)
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise InputError(
            Problem(f"there is no private key {key_id}", str(path.parent), "kolm keys list")
        ) from error
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror}", str(path))) from error
    if mode & 0o077:
        raise InputError(
            Problem("others than you can read this private key", str(path), f"chmod 600 {path}")
        )
    signer = read_private(data, str(path), ask)
    if signer.key_id != key_id:
        raise InputError(Problem(f"holds the key {signer.key_id}, not {key_id}", str(path)))
    return signer


def read_private(data: bytes, where: str, ask: Ask | None) -> Signer:
    """A private key from PEM.

    Raises:
        InputError: names `where`, never what is there.
    """
    encrypted = b"ENCRYPTED" in data
    passphrase = (os.environ.get(PASSPHRASE) or (ask() if ask else "")) if encrypted else ""
    if encrypted and not passphrase:
        raise InputError(
            Problem("the private key has a passphrase", where, f"set {PASSPHRASE}"),
        )
    # No `from error`: what the library says could quote what it read.
    problem = None
    try:
        key = serialization.load_pem_private_key(data, passphrase.encode() or None)
    except UnsupportedAlgorithm:
        problem = "is a kind of key that kolm cannot read"
    except (ValueError, TypeError):
        problem = "the passphrase is wrong" if encrypted else "is not a private key in PEM"
    if problem is None:
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return Signer(key)
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
            return Signer(key)
        problem = "is neither an ECDSA P-256 nor an Ed25519 key"
    raise InputError(Problem(problem, where))


def _from_environment(value: str, ask: Ask | None) -> Signer:
    if "-----BEGIN" in value:
        # CI systems often store a line break as a backslash and an n.
        return read_private(value.replace("\\n", "\n").encode(), SIGNING_KEY, ask)
    data = None
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        data = read_regular(Path(value).expanduser(), MAX_KEY_BYTES)
    if data is None:
        what = "holds neither a private key in PEM nor the path of a readable file"
        raise InputError(Problem(what, SIGNING_KEY))
    return read_private(data, SIGNING_KEY, ask)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One process at a time makes, retires or revokes keys."""
    with (keys_folder() / ".lock").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
