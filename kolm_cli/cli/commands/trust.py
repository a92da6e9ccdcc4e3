"""`kolm trust`: which keys may sign which bundles, as far as you are concerned."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode, InputError, Problem, VerificationError

if TYPE_CHECKING:
    from kolm_cli.bundle.trust.policy import TrustedKey

Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
TrustFile = Annotated[
    Path | None, typer.Option("--trust", help="A trust file, instead of your own.")
]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Which keys may sign which bundles.")
    group.command("add")(add)
    group.command("list")(list_trust)
    group.command("remove")(remove)
    group.command("check")(check)
    app.add_typer(group, name="trust")


def add(
    key: Annotated[str, typer.Argument(help="A key id, or a file with a public key in PEM.")],
    names: Annotated[
        list[str], typer.Option("--name", help="A bundle name it may sign; * is anything.")
    ],
    valid_from: Day = None,
    valid_until: Day = None,
    threshold: Annotated[
        int | None,
        typer.Option("--threshold", min=1, max=16, help="Trusted signatures these names need."),
    ] = None,
    comment: Annotated[str, typer.Option("--comment", help="Whose key it is.")] = "",
    trust: TrustFile = None,
) -> None:
    """Trust a key for bundles of some names. Dates are UTC."""
    from kolm_cli.bundle.trust.file import add_key, set_threshold, trust_path
    from kolm_cli.bundle.trust.policy import PATTERN, Threshold, TrustedKey

    key_id = _key_id(key)
    wrong = [name for name in names if not PATTERN.fullmatch(name)]
    if wrong:
        fix = "write a-z 0-9 . _ - and * for any run of characters"
        raise InputError(*(Problem(f"{n!r} is not a name pattern", "--name", fix) for n in wrong))
    since, until = (None if d is None else d.replace(tzinfo=UTC) for d in (valid_from, valid_until))
    if since and until and since >= until:
        raise InputError(Problem("is not after --valid-from", "--valid-until"))
    path = trust or trust_path()
    add_key(path, TrustedKey(key_id, tuple(names), since, until, comment=comment))
    for name in names if threshold is not None else ():
        set_threshold(path, Threshold(name, threshold or 1))
    Output().data(f"{key_id} may sign {', '.join(names)}")


def list_trust(trust: TrustFile = None, json: Json = False) -> None:
    """List the keys and thresholds of a trust file."""
    from kolm_cli.bundle.trust.file import load_policy

    policy, output, now = load_policy(trust), Output(), datetime.now(UTC)
    if json:
        output.json(
            {
                "file": policy.source,
                "keys": [_facts(key, now) for key in policy.keys],
                "thresholds": [vars(threshold) for threshold in policy.thresholds],
            }
        )
        return
    rows = [
        (key.id, ",".join(key.names), _facts(key, now)["state"], key.comment) for key in policy.keys
    ]
    output.table(("ID", "NAMES", "STATE", "COMMENT"), rows)
    for threshold in policy.thresholds:
        output.data(f"{threshold.name} needs {threshold.count} trusted signatures")


def remove(
    key: Annotated[str, typer.Argument(help="A key id, or a file with a public key in PEM.")],
    trust: TrustFile = None,
) -> None:
    """Take a key out of a trust file. To distrust it for ever, revoke it."""
    from kolm_cli.bundle.trust.file import load_policy, replace_keys, trust_path

    key_id, path = _key_id(key), trust or trust_path()
    if all(known.id != key_id for known in load_policy(path).keys):
        raise InputError(Problem(f"does not hold {key_id}", str(path), "kolm trust list"))
    replace_keys(path, lambda known: None if known.id == key_id else known)
    Output().data(f"{key_id} is no longer trusted")


def check(
    name: Annotated[str, typer.Argument(help="The name of a bundle.")],
    key_ids: Annotated[list[str] | None, typer.Argument(metavar="[KEY]...")] = None,
    trust: TrustFile = None,
    json: Json = False,
) -> None:
    """Say who may sign bundles of a name; with keys, whether these would do (else exit 4)."""
    from kolm_cli.bundle.trust.file import load_policy

    policy, now, output = load_policy(trust), datetime.now(UTC), Output()
    asked = [_key_id(key) for key in key_ids] if key_ids else [key.id for key in policy.keys]
    enough, counted, refused = policy.judge(asked, name, now)
    if json:
        needed = policy.threshold(name)
        output.json({"ok": enough, "threshold": needed, "counted": counted, "refused": refused})
    else:
        output.data(f"{name} needs {policy.threshold(name)} trusted signature(s)")
        for key in counted:
            output.data(f"  {key} may sign it")
        for key, reason in refused.items():
            output.data(f"  {key} {reason}")
    if key_ids and not enough:
        raise typer.Exit(int(ExitCode.VERIFICATION))


def _key_id(text: str) -> str:
    """A key id, given as one or as a file with the key."""
    from kolm_cli.bundle.signing import public_keys

    if public_keys.KEY_ID.fullmatch(text.lower()):
        return text.lower()
    try:
        data = Path(text).read_bytes()
    except (OSError, ValueError) as error:
        fix = "write the 64 digits that `kolm keys show` prints, or a file with a public key"
        raise InputError(Problem("is neither a key id nor a readable file", text, fix)) from error
    try:
        return public_keys.key_id(public_keys.from_pem(data))
    except VerificationError as error:
        raise InputError(Problem(str(error), text)) from error


def _facts(key: TrustedKey, now: datetime) -> dict[str, Any]:
    if key.is_revoked(now):
        state = "revoked"
    elif key.valid_until is not None and now >= key.valid_until:
        state = "expired"
    elif key.valid_from is not None and now < key.valid_from:
        state = "not yet valid"
    else:
        state = "trusted"
    return {
        "id": key.id,
        "names": list(key.names),
        "state": state,
        "valid_from": key.valid_from.isoformat() if key.valid_from else None,
        "valid_until": key.valid_until.isoformat() if key.valid_until else None,
        "comment": key.comment,
    }
