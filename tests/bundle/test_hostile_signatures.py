"""Signatures, chains and receipts that do not belong to the bundle they stand in."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kolm_cli.bundle.build import build_bundle
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.signing import dsse, keys
from kolm_cli.core import canonical_json
from kolm_cli.core.digests import sha256_bytes
from tests.bundle import factory
from tests.bundle.forge import (
    assert_refused,
    edit_json,
    envelope,
    files_of,
    good,
    pack,
    payload_of,
    verdict,
)

RECEIPT = "attestations/receipt.sigstore.json"
MODEL = "attestations/model.sig"
Files = dict[str, bytes]
Value = dict[str, Any]


def repacked(path: Path, change: Callable[[Files], Files | None]) -> None:
    files = files_of(path)
    changed = change(files)
    path.write_bytes(pack(files if changed is None else changed))


def edited(name: str, edit: Callable[[Value], Any]) -> Callable[[Files], Files]:
    return lambda files: {**files, name: edit_json(files[name], edit)}


def signature(edit: Callable[[Value], Any], name: str = RECEIPT) -> Callable[[Files], Files]:
    """Edits the signature object of an envelope."""
    return edited(name, lambda v: edit(v["dsseEnvelope"]["signatures"][0]))


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


def remove(*names: str) -> Callable[[Files], Files]:
    return lambda files: {k: v for k, v in files.items() if k not in names}


CASES: dict[str, tuple[Callable[[Files], Files], str, str]] = {
    "stripped": (remove(RECEIPT), "files", f"{RECEIPT} is missing"),
    "stripped, one of the stages": (
        remove("attestations/train.sigstore.json"),
        "files",
        "train.sigstore.json is missing",
    ),
    "stripped, OpenSSF's": (remove(MODEL), "signatures", f"{MODEL} is missing"),
    "no signatures": (
        edited(RECEIPT, lambda v: v["dsseEnvelope"].update(signatures=[])),
        "signatures",
        "holds 0 signatures",
    ),
    "duplicated": (
        edited(
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
        edited(RECEIPT, lambda v: v["dsseEnvelope"].update(payload="e-_-")),
        "signatures",
        "not base64",
    ),
    "base64 without padding": (
        edited(
            RECEIPT,
            lambda v: v["dsseEnvelope"].update(payload=base64.b64encode(b"x").decode().rstrip("=")),
        ),
        "signatures",
        "not base64",
    ),
    "payload changed": (
        edited(
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
        edited(RECEIPT, lambda v: v["dsseEnvelope"].update(payloadType="text/plain")),
        "signatures",
        "the payload's type",
    ),
    "downgraded media type": (
        edited(
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
        edited(
            RECEIPT,
            lambda v: v["verificationMaterial"]["publicKey"].update(hint="00" * 32),
        ),
        "signatures",
        "the hint does not name the key",
    ),
    "with a certificate": (
        edited(RECEIPT, lambda v: v["verificationMaterial"].update(certificate={"rawBytes": ""})),
        "signatures",
        "not exactly the keys",
    ),
    "a message digest beside it": (
        edited(RECEIPT, lambda v: v.update(messageSignature={})),
        "signatures",
        "not exactly the keys",
    ),
    "duplicate key in the JSON": (
        lambda f: {**f, RECEIPT: f[RECEIPT].replace(b'{"dsse', b'{"mediaType":"x","dsse', 1)},
        "signatures",
        "stands twice",
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


# --- keys that came with the bundle ------------------------------------------------------------


def key_file(files: Files) -> str:
    return next(name for name in files if name.endswith(".pem"))


def test_the_key_inside_is_never_trusted(tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    code, report = verdict(path)
    assert code == 4
    assert report["state"] == "untrusted"
    assert [c["name"] for c in report["checks"] if c["ok"] is False] == ["policy"]
    assert verdict(path, arguments=["--allow-untrusted"])[0] == 0


def test_resigned_by_a_stranger(tmp_path: Path) -> None:
    """An attacker signs everything anew with a key of his own: intact, and not trusted."""
    signer, stranger = keys.generate(), keys.generate()
    path = factory.make_bundle(tmp_path / "a.kolm", stranger).path
    code, report = verdict(path, signer)
    assert (code, report["state"]) == (4, "untrusted")


def test_signed_by_a_stranger_under_a_trusted_name(tmp_path: Path) -> None:
    """The file's name and the key id say trusted, the key in it is another."""
    signer, stranger = keys.generate(), keys.generate()
    path = factory.make_bundle(tmp_path / "a.kolm", stranger).path

    def change(files: Files) -> Files:
        pem = files.pop(key_file(files))
        return {**files, layout.key_path(signer.key_id): pem}

    repacked(path, change)
    assert_refused(path, signer, "signatures", f"holds the key {stranger.key_id}")


def test_a_trusted_key_beside_a_strangers_signature(tmp_path: Path) -> None:
    signer, stranger = keys.generate(), keys.generate()
    path = factory.make_bundle(tmp_path / "a.kolm", stranger).path
    repacked(path, lambda f: {**f, layout.key_path(signer.key_id): signer.public_pem})
    assert_refused(path, signer, "signatures", f"{layout.key_path(signer.key_id)} signed nothing")


def test_a_claimed_key_id_without_its_signature(tmp_path: Path) -> None:
    signer, stranger = keys.generate(), keys.generate()
    path = factory.make_bundle(tmp_path / "a.kolm", stranger).path

    def change(files: Files) -> Files:
        for name in [n for n in files if n.endswith(".sigstore.json")]:
            files = signature(lambda v: v.update(keyid=signer.key_id), name)(files)
            files = edited(
                name,
                lambda v: v["verificationMaterial"]["publicKey"].update(hint=signer.key_id),
            )(files)
        files.pop(key_file(files))
        return {**files, layout.key_path(signer.key_id): signer.public_pem}

    repacked(path, change)
    assert_refused(path, signer, "signatures", "does not fit the payload and the key")


@pytest.mark.parametrize("kind", ["p384", "rsa", "text", "with a comment", "private"])
def test_a_key_of_another_kind(kind: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")

    def pem_of(key: Any) -> bytes:
        return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    data = {
        "p384": lambda: pem_of(ec.generate_private_key(ec.SECP384R1())),
        "rsa": lambda: pem_of(rsa.generate_private_key(65537, 2048)),
        "text": lambda: b"hello",
        "with a comment": lambda: b"# mine\n" + signer.public_pem,
        "private": lambda: b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    }[kind]()
    repacked(path, lambda f: {**f, key_file(f): data})
    assert_refused(path, signer, "signatures", ".pem: n")


def test_no_key(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    repacked(path, lambda f: remove(key_file(f))(f))
    assert_refused(path, signer, "signatures", "there is no key")


# --- receipts and chains of other bundles ------------------------------------------------------


def two(tmp_path: Path) -> tuple[Path, Files, keys.Signer]:
    """A bundle, and the files of another one that the same key signed."""
    signer = keys.generate()
    path = factory.make_bundle(tmp_path / "a.kolm", signer).path
    content = factory.with_files({"spec.yaml": b"kolm: 1\nname: other\n"})
    other = files_of(build_bundle(content, signer, tmp_path / "b.kolm").path)
    return path, other, signer


def attested(files: Files) -> Files:
    return {k: v for k, v in files.items() if k.startswith("attestations/")}


def test_another_bundles_receipt(tmp_path: Path) -> None:
    path, other, signer = two(tmp_path)
    repacked(path, lambda f: {**f, RECEIPT: other[RECEIPT]})
    assert_refused(path, signer, "subject", "another bundle's manifest")


def test_all_of_another_bundles_attestations(tmp_path: Path) -> None:
    path, other, signer = two(tmp_path)
    repacked(path, lambda f: {**f, **attested(other)})
    assert_refused(path, signer, "subject", "another bundle's manifest")


def test_another_bundles_model_signature(tmp_path: Path) -> None:
    path, other, signer = two(tmp_path)
    repacked(path, lambda f: {**f, MODEL: other[MODEL]})
    assert_refused(path, signer, "signatures", "does not list exactly the files")


def test_another_bundles_stage(tmp_path: Path) -> None:
    signer = keys.generate()
    path = factory.make_bundle(tmp_path / "a.kolm", signer).path
    stages = (*factory.STAGES[:2], replace(factory.STAGES[2], facts={"steps": 4}))
    other = factory.make_bundle(tmp_path / "b.kolm", signer, stages=stages).path
    train = "attestations/train.sigstore.json"
    repacked(path, lambda f: {**f, train: files_of(other)[train]})
    assert_refused(path, signer, "chain", "evaluate: the statement does not name the one before")


def resigned(name: str, edit: Callable[[Value], Any]) -> Callable[[Files, keys.Signer], Files]:
    """A statement changed and signed again by the trusted key itself."""

    def change(files: Files, signer: keys.Signer) -> Files:
        payload = edit_json(payload_of(files[name]), edit)
        return {**files, name: envelope(payload, signer)}

    return change


DATASET, TRAIN = "attestations/dataset.sigstore.json", "attestations/train.sigstore.json"
CAPTURE = "attestations/capture.sigstore.json"


def internal(edit: Callable[[Value], Any]) -> Callable[[Value], Any]:
    return lambda v: edit(v["predicate"]["buildDefinition"]["internalParameters"])


CHAINS: dict[str, tuple[Callable[[Files, keys.Signer], Files], str, str]] = {
    "shortened": (lambda f, s: remove(CAPTURE)(f), "chain", "does not name the one before it"),
    "shortened and mended": (
        lambda f, s: resigned(DATASET, lambda v: v["predicate"].update(previous=None))(
            remove(CAPTURE)(f), s
        ),
        "chain",
        "does not name the one before it",
    ),
    "reordered": (
        lambda f, s: {**f, DATASET: f[TRAIN], TRAIN: f[DATASET]},
        "chain",
        "dataset: the statement is of 'train'",
    ),
    "broken link": (
        resigned(TRAIN, lambda v: v["predicate"]["previous"].update(sha256="0" * 64)),
        "chain",
        "train: the statement does not name the one before it",
    ),
    "another subject": (
        resigned(TRAIN, lambda v: v["subject"][0]["digest"].update(sha256="0" * 64)),
        "chain",
        "train: the statement is about other files",
    ),
    "a subject less": (
        resigned(TRAIN, lambda v: v["subject"].pop()),
        "chain",
        "train: the statement is about other files",
    ),
    "capture of other facts": (
        resigned(CAPTURE, lambda v: v["predicate"]["facts"].update(pairs=6)),
        "chain",
        "capture: the statement is about other files",
    ),
    "another name": (
        resigned(TRAIN, lambda v: v["predicate"].update(name="other")),
        "chain",
        "train: the statement is of 'other'",
    ),
    "another predicate": (
        resigned(TRAIN, lambda v: v.update(predicateType="x")),
        "chain",
        "not a stage's statement",
    ),
    "a key more": (
        resigned(TRAIN, lambda v: v["predicate"].update(extra=1)),
        "chain",
        "not a stage's statement",
    ),
    "a list for a predicate": (
        resigned(TRAIN, lambda v: v.update(predicate=[])),
        "chain",
        "not a stage's statement",
    ),
    "the receipt names other stages": (
        resigned(RECEIPT, internal(lambda v: v["chain"]["stages"].pop(0))),
        "chain",
        "the receipt does not name these statements",
    ),
    "the receipt is silent about its chain": (
        resigned(RECEIPT, internal(lambda v: v.pop("chain"))),
        "chain",
        "the receipt does not name these statements",
    ),
    "two subjects": (
        resigned(RECEIPT, lambda v: v["subject"].append(v["subject"][0])),
        "subject",
        "another bundle's manifest",
    ),
    "no subject": (
        resigned(RECEIPT, lambda v: v.update(subject=[])),
        "subject",
        "another bundle's manifest",
    ),
    "a weaker digest": (
        resigned(RECEIPT, lambda v: v["subject"][0].update(digest={"md5": "0" * 32})),
        "subject",
        "another bundle's manifest",
    ),
    "another statement version": (
        resigned(RECEIPT, lambda v: v.update(_type="https://in-toto.io/Statement/v0.1")),
        "subject",
        "not SLSA provenance v1",
    ),
    "another base": (
        resigned(
            RECEIPT,
            lambda v: v["predicate"]["buildDefinition"]["externalParameters"]["base"].update(
                model="evil/base"
            ),
        ),
        "subject",
        "externalParameters does not fit",
    ),
    "other weights": (
        resigned(
            RECEIPT, lambda v: v["predicate"]["buildDefinition"]["resolvedDependencies"].pop()
        ),
        "subject",
        "resolvedDependencies does not fit",
    ),
    "no internal parameters": (
        resigned(RECEIPT, lambda v: v["predicate"]["buildDefinition"].pop("internalParameters")),
        "chain",
        "no internalParameters",
    ),
    "no run details": (
        resigned(RECEIPT, lambda v: v["predicate"].pop("runDetails")),
        "subject",
        "not SLSA provenance v1",
    ),
    "a list for a receipt": (
        lambda f, s: {**f, RECEIPT: envelope(b"[]", s)},
        "subject",
        "not an object",
    ),
    "a payload that is not canonical": (
        lambda f, s: {**f, RECEIPT: envelope(payload_of(f[RECEIPT]) + b" ", s)},
        "subject",
        "canonical form",
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chain(name: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    change, check, words = CHAINS[name]
    repacked(path, lambda files: change(files, signer))
    assert_refused(path, signer, check, words)


@pytest.mark.parametrize("stage", layout.STAGES[1:-1])
def test_a_stage_may_not_be_missing(stage: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    repacked(path, remove(layout.stage_path(stage)))
    assert_refused(path, signer, "files", "is missing")


def test_a_stage_signed_by_another_key(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    stranger = keys.generate()

    def change(files: Files) -> Files:
        data = envelope(payload_of(files[TRAIN]), stranger)
        return {**files, TRAIN: data, layout.key_path(stranger.key_id): stranger.public_pem}

    repacked(path, change)
    assert_refused(path, signer, "signatures", f"signed by {stranger.key_id}")


def test_the_chain_starts_at_the_dataset_where_there_was_no_capture(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm", stages=factory.STAGES[1:])
    code, report = verdict(path, signer)
    assert code == 0
    told = {c["name"]: c["detail"] for c in report["checks"]}
    assert told["chain"] == "dataset → train → evaluate → bundle"
    facts = json.loads(payload_of(files_of(path)[RECEIPT]))
    chain = facts["predicate"]["buildDefinition"]["internalParameters"]["chain"]
    assert chain["starts_at"] == "dataset"
    assert "capture" in chain["why"]


def test_each_statement_names_the_payload_before_it(tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    files = files_of(path)
    payloads = [payload_of(files[layout.stage_path(stage)]) for stage in layout.STAGES[:-1]]
    named = [json.loads(payload)["predicate"]["previous"] for payload in payloads]
    assert named[0] is None
    assert [link["sha256"] for link in named[1:]] == [sha256_bytes(p) for p in payloads[:-1]]


# --- further signatures ------------------------------------------------------------------------


def co_signed(path: Path, auditor: keys.Signer, payload: bytes | None = None) -> None:
    def change(files: Files) -> Files:
        signed = payload_of(files[RECEIPT]) if payload is None else payload
        return {
            **files,
            layout.key_path(auditor.key_id): auditor.public_pem,
            layout.co_signature_path(auditor.key_id): envelope(signed, auditor),
        }

    repacked(path, change)


def test_a_further_signature_of_something_else(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    co_signed(path, keys.generate(), b"{}")
    assert_refused(path, signer, "signatures", "signs something else than the receipt")


def test_a_further_signature_by_the_same_key(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    co_signed(path, signer)
    assert_refused(path, signer, "signatures", "is not where a signature by")


def test_a_further_signature_under_another_keys_name(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    auditor, other = keys.generate(), keys.generate()
    co_signed(path, auditor)

    def change(files: Files) -> Files:
        data = files.pop(layout.co_signature_path(auditor.key_id))
        return {**files, layout.co_signature_path(other.key_id): data}

    repacked(path, change)
    assert_refused(path, signer, "signatures", "is not where a signature by")


def test_an_ed25519_bundle_with_an_openssf_signature(tmp_path: Path) -> None:
    signer = keys.generate("ed25519")
    path = factory.make_bundle(tmp_path / "a.kolm", signer).path
    other, _ = good(tmp_path / "b.kolm")
    repacked(path, lambda f: {**f, MODEL: files_of(other)[MODEL]})
    assert_refused(path, signer, "signatures", "cannot be made with this key")
