"""`kolm trust`: which keys may sign which bundles, as far as you are concerned."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode, InputError, Problem, VerificationError

if TYPE_CHECKING:
    from kolm_cli.bundle.trust.policy import TrustedKey, TrustPolicy

Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
MAX_KEY_BYTES = 1 << 16
TrustFile = Annotated[
    Path | None, typer.Option("--trust", help="A trust file, instead of your own.")
]
KeyArgument = Annotated[
    str, typer.Argument(help="A key id, 8 digits of a known one, or a PEM file.")
]
Day = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], metavar="DATE")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Which keys may sign which bundles.")
    group.command("add")(add)
    group.command("list")(list_trust)
    group.command("remove")(remove)
    group.command("check")(check)
    app.add_typer(group, name="trust")


def add(
    key: KeyArgument,
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
    from kolm_cli.bundle.trust.file import add_key, load_policy, set_threshold, trust_path
    from kolm_cli.bundle.trust.policy import PATTERN, Threshold, TrustedKey, TrustPolicy

    path, now, output = trust or trust_path(), datetime.now(UTC), Output()
    known = load_policy(path) if path.exists() else TrustPolicy()
    key_id = _key_id(key, known)
    wrong = [name for name in names if not PATTERN.fullmatch(name)]
    if wrong:
        fix = "write a-z 0-9 . _ - and * for any run of characters"
        raise InputError(*(Problem(f"{n!r} is not a name pattern", "--name", fix) for n in wrong))
    since, until = (None if d is None else d.replace(tzinfo=UTC) for d in (valid_from, valid_until))
    if since and until and since >= until:
        raise InputError(
            Problem("is not after --valid-from", "--valid-until", "write a later date")
        )
    earlier = [grant for grant in known.keys if grant.id == key_id]
    if any(grant.is_revoked(now) for grant in earlier):
        what = f"{key_id} is revoked, which outweighs every grant: it may sign nothing"
        fix = "edit the file by hand to take the revocation back"
        raise InputError(Problem(what, str(path), fix))
    added = TrustedKey(key_id, tuple(names), since, until, comment=comment)
    add_key(path, added)
    output.data(f"{key_id} may sign {_said(added)}")
    for grant in earlier:
        output.note(f"what the file said of this key before stays: it may sign {_said(grant)}")
    if until is not None and until <= now:
        output.note("--valid-until is past: nothing that it signs counts")
    for name in names if threshold is not None else ():
        asked = Threshold(name, threshold or 1)
        before = set_threshold(path, asked)
        change = "" if before in (None, asked.count) else f", not {before} any more"
        output.data(f"{name} needs {asked.count} trusted signature(s){change}")
        for other in load_policy(path).stricter(asked):
            output.note(
                f"{other.name} still needs {other.count}, and of several thresholds that fit a"
                " name the highest counts"
            )


def _said(grant: TrustedKey) -> str:
    """What a grant allows, in words."""
    words = [", ".join(grant.names)]
    if grant.valid_from is not None:
        words.append(f"from {grant.valid_from:%Y-%m-%d %H:%M} UTC")
    if grant.valid_until is not None:
        words.append(f"until {grant.valid_until:%Y-%m-%d %H:%M} UTC")
    return " ".join(words)


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
    key: KeyArgument,
    trust: TrustFile = None,
) -> None:
    """Take a key out of a trust file. To distrust it for good, revoke it."""
    from kolm_cli.bundle.trust.file import load_policy, replace_keys, trust_path

    path, output = trust or trust_path(), Output()
    policy = load_policy(path)
    key_id = _key_id(key, policy)
    grants = [known for known in policy.keys if known.id == key_id]
    if not grants:
        raise InputError(Problem(f"does not hold {key_id}", str(path), "kolm trust list"))
    if all(known.revoked is not False for known in grants):
        fix = "without its revocation a later grant would count; edit the file by hand to forget it"
        raise InputError(Problem("is revoked, and stays in the file", f"{path}: {key_id}", fix))

    def change(known: TrustedKey) -> TrustedKey | None:
        return None if known.id == key_id and known.revoked is False else known

    replace_keys(path, change)
    output.data(f"{key_id} is no longer trusted")
    if any(known.revoked is not False for known in grants):
        output.note("its revocation stays in the file")


def check(
    name: Annotated[str, typer.Argument(help="The name of a bundle.")],
    key_ids: Annotated[
        list[str] | None, typer.Argument(metavar="KEY", help="As for `kolm trust add`.")
    ] = None,
    trust: TrustFile = None,
    json: Json = False,
) -> None:
    """Say who may sign bundles of a name; with keys, whether these would do (else exit 4)."""
    from kolm_cli.bundle.trust.file import load_policy

    policy, now, output = load_policy(trust), datetime.now(UTC), Output()
    asked = (
        [_key_id(key, policy) for key in key_ids] if key_ids else [key.id for key in policy.keys]
    )
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


def _key_id(text: str, policy: TrustPolicy) -> str:
    """A key id: whole, or shortened to at least 8 digits of an own or listed key; or a key's file.

    Raises:
        InputError: it is none of them, several keys begin so, or anybody can sign with the key.
    """
    from kolm_cli.bundle.signing import public_keys
    from kolm_cli.bundle.signing.key_store import MIN_PREFIX, stored_keys
    from kolm_cli.core.files import read_regular

    digits = text.lower()
    if public_keys.KEY_ID.fullmatch(digits):
        if digits in public_keys.low_order_ids():
            what = "a low-order Ed25519 key: anybody can sign with it"
            raise InputError(Problem(what, text, "trust another key"))
        return digits
    if MIN_PREFIX <= len(digits) < 64 and set(digits) <= set("0123456789abcdef"):
        known = {key.id for key in stored_keys()} | {key.id for key in policy.keys}
        fitting = sorted(key_id for key_id in known if key_id.startswith(digits))
        if len(fitting) > 1:
            fix = "write more digits of " + " or ".join(fitting)
            raise InputError(Problem(f"{len(fitting)} keys begin so", text, fix))
        if fitting:
            return fitting[0]
    try:
        data = read_regular(Path(text), MAX_KEY_BYTES)
    except OSError as error:
        fix = (
            "write the 64 digits that `kolm keys show` prints (8 of them will do for a key of yours"
            " or of the trust file), or a file with a public key"
        )
        what = f"is neither a key id nor a readable file ({error.strerror})"
        raise InputError(Problem(what, text, fix)) from error
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
