"""`kolm keys`: the keys that sign what you compile."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kolm_cli.cli.output import Output

if TYPE_CHECKING:
    from kolm_cli.bundle.signing.key_store import StoredKey

Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Protected = Annotated[
    bool,
    typer.Option("--passphrase", help="Encrypt it; asks, or takes KOLM_KEY_PASSPHRASE."),
]
KeyId = Annotated[
    str | None, typer.Argument(metavar="ID", help="Its id, or 8 digits of it; else the default.")
]


class Kind(StrEnum):
    """The algorithms that a new key can have."""

    P256 = "ecdsa-p256"
    ED25519 = "ed25519"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="The keys that sign what you compile.")
    group.command("new")(new)
    group.command("list")(list_keys)
    group.command("show")(show)
    group.command("export")(export)
    group.command("rotate")(rotate)
    group.command("revoke")(revoke)
    app.add_typer(group, name="keys")


def new(
    kind: Annotated[Kind, typer.Option("--kind", help="Its algorithm.")] = Kind.P256,
    passphrase: Protected = False,
    default: Annotated[bool, typer.Option("--default", help="Sign with it from now on.")] = False,
    trusted: Annotated[
        bool, typer.Option("--trust/--no-trust", help="Put it into your trust file.")
    ] = True,
    json: Json = False,
) -> None:
    """Make a key. The first one signs by default."""
    from kolm_cli.bundle.signing import keys
    from kolm_cli.cli.passphrase import choose

    secret = choose() if passphrase else ""
    with keys.locked():
        kind_name: keys.KeyKind = "ed25519" if kind is Kind.ED25519 else "ecdsa-p256"
        signer = keys.create(kind_name, passphrase=secret, trusted=trusted)
        if default or keys.default_id() is None:
            keys.set_default(signer.key_id)
    if json:
        Output().json({"id": signer.key_id, "algorithm": kind.value, "trusted": trusted})
    else:
        Output().data(signer.key_id)


def list_keys(json: Json = False) -> None:
    """List your keys; the one marked default signs."""
    from kolm_cli.bundle.signing.key_store import stored_keys

    found, output = stored_keys(), Output()
    if json:
        output.json([_facts(key) for key in found])
    else:
        output.table(("ID", "ALGORITHM", "STATE"), [(k.id, k.algorithm, k.state) for k in found])


def show(key: KeyId = None, json: Json = False) -> None:
    """Show a key's public half, and what your trust file lets it sign."""
    from kolm_cli.bundle.signing.key_store import find_key
    from kolm_cli.bundle.trust.file import load_policy

    found, output = find_key(key), Output()
    grants = [k for k in load_policy().keys if k.id == found.id]
    names = sorted({name for grant in grants if grant.revoked is False for name in grant.names})
    if json:
        output.json({**_facts(found), "trusted_for": names})
        return
    output.data(f"id           {found.id}")
    output.data(f"algorithm    {found.algorithm}")
    output.data(f"state        {found.state}")
    output.data(f"trusted for  {', '.join(names) or 'nothing'}")
    output.data(f"public key   {found.public_file}")


def export(
    key: KeyId = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A file, instead of standard output.")
    ] = None,
) -> None:
    """Write a key's public half as PEM, for those who are to trust it."""
    from kolm_cli.bundle.signing.key_store import find_key
    from kolm_cli.core.files import write_atomic

    data = find_key(key).public_file.read_bytes()
    if out is None:
        Output().data(data.decode("ascii"))
    else:
        write_atomic(out, data)


def rotate(passphrase: Protected = False, json: Json = False) -> None:
    """Sign with a new key from now on. What the old one signed stays trusted."""
    from kolm_cli.bundle.signing import key_store
    from kolm_cli.cli.passphrase import choose

    old, fresh = key_store.rotate(choose() if passphrase else "")
    if json:
        Output().json({"old": old.id if old else None, "new": fresh.key_id})
        return
    Output().data(fresh.key_id)
    if old:
        Output().note(f"{old.id} is retired; what it signed stays trusted")


def revoke(
    key: Annotated[
        str, typer.Argument(metavar="ID", help="Its id, or 8 digits of it; of another's, all 64.")
    ],
    json: Json = False,
) -> None:
    """Never trust a key again, not even for what it signed before. Tell those who trust it."""
    from kolm_cli.bundle.signing import key_store

    found = key_store.revoke(key.lower())
    key_id = found.id if found else key.lower()
    if json:
        Output().json({"revoked": key_id})
        return
    Output().data(key_id)
    if found and found.state == "default":
        Output().note("it was the default; the next compile makes a new key")


def _facts(key: StoredKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "algorithm": key.algorithm,
        "state": key.state,
        "public_key": str(key.public_file),
    }
