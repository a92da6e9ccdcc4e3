"""The pages about bundles say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from kolm_cli.bundle.checks.catalog import CHECKS
from kolm_cli.bundle.format import layout, processor_keys
from kolm_cli.bundle.format.configurations import ADAPTER_FORMS, CODE_HOOKS
from kolm_cli.bundle.format.safetensors_header import DTYPE_BYTES
from kolm_cli.bundle.trust.file import parse
from kolm_cli.core import digests

DOCS = Path(__file__).parents[3] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text()


def test_verify_lists_every_check_in_order() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \|", page("reference/verify.md"), re.MULTILINE)
    assert listed == [check.name for check in CHECKS]


def test_the_format_lists_every_required_path() -> None:
    text = page("reference/bundle-format.md")
    for path in layout.required_paths():
        stage = path.startswith(layout.ATTESTATIONS)
        assert path in text or (stage and path.split("/")[1].split(".")[0] in text)
    for word in (*CODE_HOOKS, *DTYPE_BYTES, *ADAPTER_FORMS, *processor_keys.PARTS):
        assert word in text


def test_the_check_value_of_the_cid() -> None:
    cid = digests.cid(b'{"a":1}')
    assert cid in page("reference/bundle-format.md")


def test_the_trust_file_of_the_page_is_one() -> None:
    block = re.search(r"```toml\n(.*?)```", page("reference/keys.md"), re.DOTALL)
    assert block is not None
    policy = parse(block[1].encode(), "keys.md")
    assert len(policy.keys) == 2
    assert policy.threshold("vendor-x") == 2
