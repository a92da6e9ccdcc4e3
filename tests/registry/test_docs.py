"""The commands of docs/reference/registry.md run as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.file import add_key, trust_path
from tests.bundle import factory
from tests.registry.fake_registry import serving
from tests.registry.helpers import bundle, kolm

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "registry.md"


def test_every_command_of_the_page_runs(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    lines = [
        shlex.split(line, comments=True)
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(lines) == 10
    signer = keys.generate()
    add_key(trust_path(), factory.trusting(signer).keys[0])
    built = bundle(tmp_path / "chart-qa.kolm", signer=signer)
    with serving() as fake:
        for program, *arguments in lines:
            assert program == "kolm"
            said = [a.replace("localhost:5000", f"localhost:{fake.port}") for a in arguments]
            done = kolm(*said, cwd=tmp_path)
            assert done.code == 0, (said, done.err)
            # `gc` names what it removed: here the one bundle still has a tag.
            assert (built.cid in done.out) is (said[0] != "gc"), said
    for name in ("x.kolm", "y.kolm"):
        assert (tmp_path / name).read_bytes() == built.path.read_bytes()
