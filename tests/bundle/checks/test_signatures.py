"""Signatures that have another form than the one the format allows, or do not fit."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from kolm_cli.bundle.signing import dsse, keys
from kolm_cli.core import canonical_json
from tests.bundle import factory
from tests.bundle.checks.attested import (
    MODEL,
    RECEIPT,
    Files,
    Value,
    edited_file,
    remove,
    repacked,
    signature,
)
from tests.bundle.forge import (
    assert_refused,
    files_of,
    good,
)


def with_sig(change: Callable[[bytes], bytes]) -> Callable[[Files], Files]:
    def edit(value: Value) -> None:
        value["sig"] = base64.b64encode(change(base64.b64decode(value["sig"]))).decode()

    return signature(edit)


def mirror(data: bytes) -> bytes:
    r, s = decode_dss_signature(data)
    return encode_dss_signature(r, dsse.P256_ORDER - s)


def long_form(data: bytes) -> bytes:
    """The same pair of integers with a length in two bytes: BER, not DER."""
    return data[:1] + b"\x81" + data[1:]


def stray_bits(text: str) -> str:
    """The same bytes under sloppy base64: bits that a decoder throws away are set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = text.rstrip("=")
    assert body != text, "needs padding"
    last = alphabet[alphabet.index(body[-1]) ^ 1]
    sloppy = body[:-1] + last + "=" * (len(text) - len(body))
    assert base64.b64decode(sloppy) == base64.b64decode(text)
    return sloppy


CASES: dict[str, tuple[Callable[[Files], Files], str, str]] = {
    "stripped": (remove(RECEIPT), "files", f"{RECEIPT} is missing"),
    "stripped, one of the stages": (
        remove("attestations/train.sigstore.json"),
        "files",
        "train.sigstore.json is missing",
    ),
    "stripped, OpenSSF's": (remove(MODEL), "signatures", f"{MODEL} is missing"),
    "no signatures": (
        edited_file(RECEIPT, lambda v: v["dsseEnvelope"].update(signatures=[])),
        "signatures",
        "holds 0 signatures",
    ),
    "duplicated": (
        edited_file(
            RECEIPT,
            lambda v: v["dsseEnvelope"]["signatures"].append(v["dsseEnvelope"]["signatures"][0]),
        ),
        "signatures",
        "holds 2 signatures",
    ),
    "empty": (signature(lambda v: v.update(sig="")), "signatures", "sig is missing or empty"),
    "null": (signature(lambda v: v.update(sig=None)), "signatures", "sig is missing or empty"),
    "of zeros": (with_sig(lambda s: encode_dss_signature(0, 0)), "signatures", "high S"),
    "of nothing known": (with_sig(lambda s: b"x" * 64), "signatures", "not a DER pair"),
    "one bit": (
        with_sig(lambda s: s[:-1] + bytes([s[-1] ^ 1])),
        "signatures",
        "does not fit",
    ),
    "high S": (with_sig(mirror), "signatures", "high S"),
    "not DER's one form": (with_sig(long_form), "signatures", "DER"),
    "trailing bytes": (with_sig(lambda s: s + b"\0"), "signatures", "DER"),
    "base64 with white space": (
        signature(lambda v: v.update(sig=v["sig"][:8] + "\n" + v["sig"][8:])),
        "signatures",
        "not base64",
    ),
    "base64 for the web": (
        edited_file(RECEIPT, lambda v: v["dsseEnvelope"].update(payload="e-_-")),
        "signatures",
        "not base64",
    ),
    "base64 without padding": (
        edited_file(
            RECEIPT,
            lambda v: v["dsseEnvelope"].update(payload=base64.b64encode(b"x").decode().rstrip("=")),
        ),
        "signatures",
        "not base64",
    ),
    "payload changed": (
        edited_file(
            RECEIPT,
            lambda v: v["dsseEnvelope"].update(
                payload=base64.b64encode(
                    base64.b64decode(v["dsseEnvelope"]["payload"]).replace(b"512", b"513")
                ).decode()
            ),
        ),
        "signatures",
        "does not fit",
    ),
    "payload type": (
        edited_file(RECEIPT, lambda v: v["dsseEnvelope"].update(payloadType="text/plain")),
        "signatures",
        "the payload's type",
    ),
    "downgraded media type": (
        edited_file(
            RECEIPT, lambda v: v.update(mediaType="application/vnd.dev.sigstore.bundle+json;v0.1")
        ),
        "signatures",
        "the media type",
    ),
    "envelope without a Sigstore bundle": (
        lambda f: {**f, RECEIPT: canonical_json.dumps(json.loads(f[RECEIPT])["dsseEnvelope"])},
        "signatures",
        "not exactly the keys",
    ),
    "key id of another": (
        signature(lambda v: v.update(keyid="00" * 32)),
        "signatures",
        "the hint does not name the key",
    ),
    "no key id": (signature(lambda v: v.pop("keyid")), "signatures", "not exactly the keys"),
    "hint of another": (
        edited_file(
            RECEIPT,
            lambda v: v["verificationMaterial"]["publicKey"].update(hint="00" * 32),
        ),
        "signatures",
        "the hint does not name the key",
    ),
    "with a certificate": (
        edited_file(
            RECEIPT, lambda v: v["verificationMaterial"].update(certificate={"rawBytes": ""})
        ),
        "signatures",
        "not exactly the keys",
    ),
    "a message digest beside it": (
        edited_file(RECEIPT, lambda v: v.update(messageSignature={})),
        "signatures",
        "not exactly the keys",
    ),
    "duplicate key in the JSON": (
        lambda f: {**f, RECEIPT: f[RECEIPT].replace(b'{"dsse', b'{"mediaType":"x","dsse', 1)},
        "signatures",
        "occurs twice",
    ),
    "not canonical": (
        lambda f: {**f, RECEIPT: f[RECEIPT] + b"\n"},
        "signatures",
        "canonical form",
    ),
    "not JSON": (lambda f: {**f, RECEIPT: b"\x80\x04}"}, "signatures", "not UTF-8"),
    "deep nesting": (lambda f: {**f, RECEIPT: b"[" * 5000}, "signatures", "nested deeper"),
    "a statement in another's place": (
        lambda f: {**f, RECEIPT: f["attestations/train.sigstore.json"]},
        "subject",
        "not SLSA provenance",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_signature(name: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    change, check, words = CASES[name]
    repacked(path, change)
    assert_refused(path, signer, check, words)


def test_sloppy_base64(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    # A DER signature has 70 to 72 bytes; sign until base64 needs padding.
    while True:
        files = files_of(path)
        sig = json.loads(files[RECEIPT])["dsseEnvelope"]["signatures"][0]["sig"]
        if sig.endswith("="):
            break
        factory.make_bundle(path, signer)
    repacked(path, signature(lambda v: v.update(sig=stray_bits(v["sig"]))))
    assert_refused(path, signer, "signatures", "not canonical base64")


def test_a_mirrored_signature_would_verify_without_the_rule() -> None:
    """The rule against a high S has a reason: mathematically both are valid."""
    from cryptography.hazmat.primitives import hashes

    signer = keys.generate()
    sig = mirror(signer.sign(b"x"))
    assert isinstance(signer.public, ec.EllipticCurvePublicKey)
    signer.public.verify(sig, dsse.pae(b"x"), ec.ECDSA(hashes.SHA256()))


def test_an_ed25519_bundle_with_an_openssf_signature(tmp_path: Path) -> None:
    signer = keys.generate("ed25519")
    path = factory.make_bundle(tmp_path / "a.kolm", signer).path
    other, _ = good(tmp_path / "b.kolm")
    repacked(path, lambda f: {**f, MODEL: files_of(other)[MODEL]})
    assert_refused(path, signer, "signatures", "cannot be made with this key")
