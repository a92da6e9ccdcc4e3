"""Writes hostile archives byte by byte: every field of every record can be made to lie."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.signing.sigstore import Envelope
from kolm_cli.bundle.trust.file import add_key
from kolm_cli.bundle.trust.policy import TrustedKey
from kolm_cli.core import canonical_json
from tests.bundle import factory
from tests.interop.two_readers import MOST_BYTES, agreed

DATE = 0x21
LOCAL = (
    *("magic", "needed", "flags", "method", "time", "date"),
    *("crc32", "packed", "size", "name_length", "extra_length"),
)
CENTRAL = (
    *("magic", "made_by", "needed", "flags", "method", "time", "date"),
    *("crc32", "packed", "size", "name_length", "extra_length"),
    *("comment_length", "disk", "internal", "mode", "offset"),
)
END = (
    *("magic", "disk", "start_disk", "here", "count", "directory_size"),
    *("directory_offset", "comment_length"),
)


@dataclass(frozen=True)
class Item:
    """A file in a forged archive; `local` and `central` override fields of its headers."""

    name: bytes
    data: bytes
    local: Mapping[str, int] = field(default_factory=dict)
    central: Mapping[str, int] = field(default_factory=dict)
    local_extra: bytes = b""
    central_extra: bytes = b""
    central_name: bytes | None = None
    comment: bytes = b""
    after: bytes = b""
    in_directory: bool = True
    in_body: bool = True


def archive(
    items: list[Item],
    *,
    prefix: bytes = b"",
    before_end: bytes = b"",
    end: Mapping[str, int] | None = None,
    comment: bytes = b"",
    suffix: bytes = b"",
) -> bytes:
    body, central, count = prefix, b"", 0
    for item in items:
        offset = len(body)
        fields: dict[str, Any] = {
            "needed": 10,
            "flags": 0,
            "method": 0,
            "time": 0,
            "date": DATE,
            "crc32": zlib.crc32(item.data),
            "packed": len(item.data),
            "size": len(item.data),
            "name_length": len(item.name),
        }
        local = {**fields, "magic": b"PK\3\4", "extra_length": len(item.local_extra)} | dict(
            item.local
        )
        if item.in_body:
            body += struct.pack("<4s5H3L2H", *(local[key] for key in LOCAL))
            body += item.name + item.local_extra + item.data + item.after
        if item.in_directory:
            name = item.name if item.central_name is None else item.central_name
            entry = {
                **fields,
                "magic": b"PK\1\2",
                "made_by": (3 << 8) | 20,
                "name_length": len(name),
                "extra_length": len(item.central_extra),
                "comment_length": len(item.comment),
                "disk": 0,
                "internal": 0,
                "mode": 0o100644 << 16,
                "offset": offset,
            } | dict(item.central)
            central += struct.pack("<4s6H3L5H2L", *(entry[key] for key in CENTRAL))
            central += name + item.central_extra + item.comment
            count += 1
    record = {
        "magic": b"PK\5\6",
        "disk": 0,
        "start_disk": 0,
        "here": count,
        "count": count,
        "directory_size": len(central),
        "directory_offset": len(body),
        "comment_length": len(comment),
    } | dict(end or {})
    tail = struct.pack("<4s4H2LH", *(record[key] for key in END))
    return body + central + before_end + tail + comment + suffix


def items_of(path: Path) -> list[Item]:
    with zipfile.ZipFile(path) as opened:
        return [Item(i.filename.encode(), opened.read(i)) for i in opened.infolist()]


def files_of(path: Path) -> dict[str, bytes]:
    return {item.name.decode(): item.data for item in items_of(path)}


def pack(files: Mapping[str, bytes]) -> bytes:
    """A faultless archive of these files, whatever they are."""
    ordered = sorted(files, key=layout.sort_key)
    return archive([Item(name.encode(), files[name]) for name in ordered])


def change(items: list[Item], name: str, **changes: Any) -> list[Item]:
    assert any(item.name == name.encode() for item in items)
    return [replace(i, **changes) if i.name == name.encode() else i for i in items]


def edit_json(data: bytes, edit: Callable[[Any], Any]) -> bytes:
    value = json.loads(data)
    edit(value)
    return canonical_json.dumps(value)


def payload_of(data: bytes) -> bytes:
    import base64

    return base64.b64decode(json.loads(data)["dsseEnvelope"]["payload"])


def envelope(payload: bytes, signer: keys.Signer) -> bytes:
    return Envelope(payload, signer.sign(payload), signer.key_id, signer.key_id).to_bytes()


def verdict(path: Path, *trusted: keys.Signer, arguments: list[str] | None = None) -> Any:
    """Runs `kolm verify --json` as a user does; returns exit code and document.

    The second reader looks too: it must agree in all that it decides.
    """
    from kolm_cli.cli.app import build_app

    trust = path.with_suffix(".trust.toml")
    trust.unlink(missing_ok=True)
    for signer in trusted:
        add_key(trust, TrustedKey(signer.key_id, ("*",)))
    if not trusted:
        trust.write_text('format = "kolm-trust/1"\n')
    command = ["verify", str(path), "--json", "--trust", str(trust), *(arguments or [])]
    done = CliRunner().invoke(build_app(), command)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    report = json.loads(done.stdout)
    if path.stat().st_size < MOST_BYTES:
        failed = [check["name"] for check in report["checks"] if check["ok"] is False]
        ids = [signer.key_id for signer in trusted]
        agreed(path.read_bytes(), failed, report["state"], report["cid"], ids)
    return done.exit_code, report


def assert_refused(path: Path, signer: keys.Signer, check: str, words: str) -> None:
    """The command exits 4 even when untrusted signers are allowed, and names this check."""
    code, report = verdict(path, signer, arguments=["--allow-untrusted"])
    assert code == 4
    assert report["state"] == "invalid"
    failed = {c["name"]: c["detail"] for c in report["checks"] if c["ok"] is False}
    assert check in failed, failed
    assert words in failed[check], failed[check]


def good(path: Path, **options: Any) -> tuple[Path, keys.Signer]:
    signer = keys.generate()
    factory.make_bundle(path, signer, **options)
    return path, signer
