"""Signatures in an envelope: low S, base64, and the specification's example."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.bundle.signing import dsse, keys

_SIGNER = keys.generate()


@given(payload=st.binary(max_size=64))
def test_every_signature_has_a_low_s_and_verifies(payload: bytes) -> None:
    signature = _SIGNER.sign(payload)
    assert decode_dss_signature(signature)[1] <= dsse.P256_ORDER // 2
    dsse.verify(_SIGNER.public, payload, signature)


@given(data=st.binary(max_size=64))
def test_base64_goes_both_ways(data: bytes) -> None:
    assert dsse.from_base64(dsse.to_base64(data)) == data


def test_the_pre_authentication_encoding_is_the_specifications_example() -> None:
    """The test vector of github.com/secure-systems-lab/dsse, protocol.md."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert dsse.pae(b"hello world", "http://example.com/HelloWorld") == expected
