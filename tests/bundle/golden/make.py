"""Made the golden bundles, once. Run again only to add one for a new format, never to mend one.

Their keys were thrown away. What later versions must go on saying of each stands in
`expected.json`, whom to trust in `trust.toml`.

    PYTHONPATH=tests/bundle python tests/bundle/golden/make.py NEW-FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.signing.co_sign import co_sign
from kolm_cli.bundle.trust.file import add_key, load_policy, set_threshold
from kolm_cli.bundle.trust.policy import Threshold, TrustedKey
from kolm_cli.bundle.verify import verify
from tests.bundle import factory


def main(folder: Path) -> None:
    """Write every golden bundle, the trust file and what is expected."""
    folder.mkdir(parents=True)
    p256, ed25519, auditor = keys.generate(), keys.generate("ed25519"), keys.generate()
    closed = factory.make_files(include="digests")
    factory.make_bundle(folder / "p256.kolm", p256)
    factory.make_bundle(folder / "ed25519.kolm", ed25519, stages=factory.STAGES[1:])
    factory.make_bundle(folder / "digests.kolm", p256, files=closed)
    factory.make_bundle(folder / "audited.kolm", p256, name="audited")
    co_sign(folder / "audited.kolm", auditor)
    factory.make_bundle(folder / "stranger.kolm", keys.generate())
    trust = folder / "trust.toml"
    for signer in (p256, ed25519):
        add_key(trust, TrustedKey(signer.key_id, ("*",)))
    add_key(trust, TrustedKey(auditor.key_id, ("audited",), comment="the auditor"))
    set_threshold(trust, Threshold("audited", 2))
    policy = load_policy(trust)
    expected = {}
    for path in sorted(folder.glob("*.kolm")):
        report = verify(path, policy)
        outcomes = {check.name: check.ok for check in report.checks}
        expected[path.name] = {"state": report.state, "cid": report.cid, "checks": outcomes}
    (folder / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
