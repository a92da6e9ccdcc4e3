"""The policy: who may sign what, when, and how many must."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.signing.co_sign import co_sign
from kolm_cli.bundle.trust.policy import Threshold, TrustedKey, TrustPolicy, matches
from kolm_cli.bundle.verify import verify
from tests.bundle import factory
from tests.bundle.forge import good
from tests.bundle.trust.helpers import EARLIER, ID, LATER, NOW


def state(path: Path, policy: TrustPolicy) -> tuple[str, str]:
    report = verify(path, policy, now=NOW)
    return report.state, next(c.detail for c in report.checks if c.name == "policy")


@pytest.mark.parametrize(
    ("grant", "words"),
    [
        ({}, None),
        ({"valid_from": EARLIER, "valid_until": LATER}, None),
        ({"valid_from": NOW}, None),
        ({"valid_from": LATER}, "is not valid before 2026-07-01 00:00 UTC"),
        ({"valid_until": EARLIER}, "expired on 2026-05-01 00:00 UTC"),
        ({"valid_until": NOW}, "expired on"),
        ({"revoked": True}, "is revoked"),
        ({"revoked": EARLIER}, "is revoked"),
        ({"revoked": LATER}, None),
        ({"names": ("tiny-*",)}, None),
        ({"names": ("other", "tiny-chart")}, None),
        ({"names": ("other", "tiny", "*-tiny-chart")}, "may sign *-tiny-chart, other, tiny, not"),
    ],
)
def test_one_key(grant: dict[str, object], words: str | None, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    key = TrustedKey(signer.key_id, **{"names": ("*",), **grant})  # type: ignore[arg-type]
    found, detail = state(path, TrustPolicy((key,)))
    assert found == ("trusted" if words is None else "untrusted")
    assert words is None or words in detail


def test_revoked_anywhere_is_revoked_everywhere(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    grants = (TrustedKey(signer.key_id, ("*",)), TrustedKey(signer.key_id, ("x",), revoked=True))
    assert state(path, TrustPolicy(grants))[0] == "untrusted"


def test_an_expired_grant_does_not_spoil_another(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    old = TrustedKey(signer.key_id, ("*",), valid_until=EARLIER)
    assert state(path, TrustPolicy((old, TrustedKey(signer.key_id, ("*",)))))[0] == "trusted"


def test_a_threshold(tmp_path: Path) -> None:
    path, maker = good(tmp_path / "a.kolm")
    auditor, stranger = keys.generate(), keys.generate()
    two = (Threshold("tiny-*", 2), Threshold("*", 1))
    policy = TrustPolicy(factory.trusting(maker, auditor).keys, two)
    assert state(path, policy) == ("untrusted", "1 of 2 trusted signatures")
    co_sign(path, stranger)
    assert state(path, policy)[0] == "untrusted"
    co_sign(path, auditor)
    assert state(path, policy)[0] == "trusted"
    three = TrustPolicy(policy.keys, (*two, Threshold("*-chart", 3)))
    assert state(path, three)[0] == "untrusted"


def test_the_same_key_twice_counts_once() -> None:
    policy = TrustPolicy((TrustedKey(ID, ("*",)),), (Threshold("*", 2),))
    assert not policy.judge([ID, ID], "x", NOW)[0]


def test_an_empty_policy_trusts_nobody() -> None:
    assert not TrustPolicy().judge([ID], "x", NOW)[0]
    assert not TrustPolicy().judge([], "x", NOW)[0]


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*", "anything", True),
        ("a*c", "abc", True),
        ("a*c", "ac", True),
        ("a*c", "abcd", False),
        ("a.c", "abc", False),
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("*-prod", "x-prod\n", False),
    ],
)
def test_patterns(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, name) is fits
