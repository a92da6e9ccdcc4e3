"""The key with which a command signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kolm_cli.bundle.signing.keys import Signer


def load_signer(key: str | None) -> Signer:
    """The key that was named, else the default; asks for its passphrase where it has one."""
    from kolm_cli.bundle.signing import keys
    from kolm_cli.bundle.signing.key_store import find_key
    from kolm_cli.cli.passphrase import ask

    return keys.load(find_key(key).id, ask) if key else keys.signer_for_compile(ask)
