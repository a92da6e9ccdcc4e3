"""Every statement is signed, by keys that came with the bundle: who signed, not whom to trust."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.signing import dsse
from kolm_cli.bundle.signing.attestations import Attestations
from kolm_cli.bundle.signing.model_signature import model_hint, model_payload
from kolm_cli.bundle.signing.public_keys import to_pem
from kolm_cli.bundle.signing.sigstore import Envelope
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import VerificationError


def _run(case: Case) -> Outcome:
    found = case.attestations
    signer = found.receipt.key_id
    problems = []
    for stage, envelope in found.stages.items():
        problems += _problems(found, layout.stage_path(stage), envelope, signer, envelope.key_id)
    for path, envelope in found.co_signatures.items():
        problems += _co_signature(found, path, envelope, signer)
    for path, envelope in found.parity.items():
        problems += _parity(found, path, envelope)
    problems += _model(case, signer)
    further = {envelope.key_id for envelope in found.co_signatures.values()}
    used = {signer, *further, *(envelope.key_id for envelope in found.parity.values())}
    problems += [f"{layout.key_path(k)} signed nothing" for k in sorted(found.keys.keys() - used)]
    if len(found.co_signatures) > layout.MAX_CO_SIGNATURES:
        problems.append(f"more than {layout.MAX_CO_SIGNATURES} further signatures")
    if len(found.parity) > layout.MAX_PARITY_STATEMENTS:
        problems.append(f"more than {layout.MAX_PARITY_STATEMENTS} parity statements")
    if problems:
        return Outcome(False, "; ".join(problems))
    others = f" and {len(further)} more" if further else ""
    return Outcome(True, f"{len(found.stages)} statements signed by {signer}{others}")


def _problems(
    found: Attestations, path: str, envelope: Envelope, signer: str, hint: str
) -> list[str]:
    """What is wrong with one signature."""
    if envelope.key_id != signer:
        return [f"{path}: signed by {envelope.key_id:.64}, the receipt by {signer:.64}"]
    if envelope.hint != hint:
        return [f"{path}: the hint does not name the key"]
    key = found.keys.get(envelope.key_id)
    if key is None:
        return [f"{path}: there is no key {envelope.key_id:.64} in the bundle"]
    try:
        dsse.verify(key, envelope.payload, envelope.signature)
    except VerificationError as error:
        return [f"{path}: {error}"]
    return []


def _co_signature(found: Attestations, path: str, envelope: Envelope, signer: str) -> list[str]:
    """A further signature is of the very receipt, by another key, under that key's name."""
    if envelope.payload != found.receipt.payload:
        return [f"{path}: signs something else than the receipt"]
    if envelope.key_id == signer or layout.co_signature_path(envelope.key_id) != path:
        return [f"{path}: is not where a signature by {envelope.key_id:.64} stands"]
    return _problems(found, path, envelope, envelope.key_id, envelope.key_id)


def _parity(found: Attestations, path: str, envelope: Envelope) -> list[str]:
    """A parity statement may be by anybody, and stands under its own digest."""
    if layout.parity_path(sha256_bytes(envelope.payload)) != path:
        return [f"{path}: is not where this statement stands"]
    return _problems(found, path, envelope, envelope.key_id, envelope.key_id)


def _model(case: Case, signer: str) -> list[str]:
    found, path = case.attestations, layout.MODEL_SIGNATURE
    key = found.keys.get(signer)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        # OpenSSF model signing knows no Ed25519.
        return [f"{path}: cannot be made with this key"] if found.model else []
    if found.model is None:
        return [f"{path} is missing"]
    sums = {
        name: item.sha256
        for name, item in case.contents.files.items()
        if not name.startswith(layout.ATTESTATIONS)
    }
    if found.model.payload != model_payload(case.manifest.name, sums):
        return [f"{path}: does not list exactly the files of this bundle"]
    return _problems(found, path, found.model, signer, model_hint(to_pem(key)))


CHECK = Check("signatures", _run)
