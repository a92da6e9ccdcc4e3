"""The attestations of a bundle, parsed strictly. Nothing here is believed yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kolm_cli.bundle.contents import BundleContents
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.statement import MAX_PAYLOAD_BYTES
from kolm_cli.bundle.signing.dsse import PublicKey
from kolm_cli.bundle.signing.public_keys import from_pem, key_id
from kolm_cli.bundle.signing.sigstore import Envelope, read_envelope
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import VerificationError


@dataclass(frozen=True)
class Attestations:
    """Everything under `attestations/`.

    Attributes:
        keys: key id to public key. They came with the bundle: they say who signed, not whom to
            trust.
        stages: stage to envelope, the receipt as `bundle`, in the chain's order.
        co_signatures: path to envelope of further signatures of the receipt.
        parity: path to envelope of parity statements.
        model: the OpenSSF signature, None when there is none.
    """

    keys: Mapping[str, PublicKey]
    stages: Mapping[str, Envelope]
    co_signatures: Mapping[str, Envelope]
    parity: Mapping[str, Envelope]
    model: Envelope | None

    @property
    def receipt(self) -> Envelope:
        """The receipt's envelope.

        Raises:
            VerificationError: there is none.
        """
        if "bundle" not in self.stages:
            raise VerificationError(f"the bundle has no {layout.RECEIPT}")
        return self.stages["bundle"]

    @property
    def receipt_statement(self) -> dict[str, Any]:
        """The receipt's statement: canonical JSON of any shape."""
        return read_statement(self.receipt)

    @property
    def receipt_facts(self) -> dict[str, Any]:
        """What the receipt says was done (`internalParameters`).

        Raises:
            VerificationError: there is no such block.
        """
        value: Any = self.receipt_statement
        for key in ("predicate", "buildDefinition", "internalParameters"):
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, dict):
            raise VerificationError("the receipt has no internalParameters")
        return value


def read_statement(envelope: Envelope) -> dict[str, Any]:
    """The payload of an envelope, which must be canonical JSON.

    Raises:
        VerificationError: it is not.
    """
    value = canonical_json.loads_canonical(envelope.payload, max_bytes=MAX_PAYLOAD_BYTES)
    if not isinstance(value, dict):
        raise VerificationError("the signed payload is not an object")
    return value


def read_attestations(contents: BundleContents) -> Attestations:
    """Parse every file under `attestations/`.

    Raises:
        VerificationError: holds everything that is malformed.
    """
    problems: list[str] = []
    keys: dict[str, PublicKey] = {}
    envelopes: dict[str, Envelope] = {}
    for path in contents.files:
        if not path.startswith(layout.ATTESTATIONS) or layout.kind_of(path) is None:
            continue
        try:
            data = contents.content(path)
            if path.endswith(".pem"):
                key = from_pem(data)
                if layout.key_path(key_id(key)) != path:
                    raise VerificationError(f"holds the key {key_id(key)}")
                keys[key_id(key)] = key
            else:
                envelopes[path] = read_envelope(data)
        except VerificationError as error:
            problems.append(f"{path}: {error}")
    if problems:
        raise VerificationError(*problems)
    stages = {
        stage: envelopes.pop(path)
        for stage in layout.STAGES
        if (path := layout.stage_path(stage)) in envelopes
    }
    model = envelopes.pop(layout.MODEL_SIGNATURE, None)
    parity = {
        path: envelopes.pop(path)
        for path in [*envelopes]
        if path.startswith(f"{layout.ATTESTATIONS}parity.")
    }
    return Attestations(keys, stages, envelopes, parity, model)
