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

# A path of every kind that no bundle has to have.
DIGEST = "0" * 64
SOME_PATHS = (
    "adapter/projector.safetensors",
    "processor/vocab.json",
    "processor/tokenizer_config.json",
    "processor/additional_chat_templates/a.jinja",
    "processor/a.model",
    layout.PREDICTIONS,
    layout.BASE_PREDICTIONS,
    f"attestations/{DIGEST}.pem",
    "attestations/capture.sigstore.json",
    f"attestations/receipt.{DIGEST}.sigstore.json",
    f"attestations/parity.{DIGEST}.sigstore.json",
    layout.MODEL_SIGNATURE,
)
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


def test_the_format_s_table_for_programs_is_the_layout() -> None:
    """The second reader goes by it; a stage's file has a line of its own there."""
    block = re.findall(r"```text\n(.*?)```", page("reference/bundle-format.md"), re.DOTALL)[0]
    lines = [line.split() for line in block.splitlines()]
    assert {p.replace("\\", "") for p, _, flags in lines if "R" in flags} == {
        *layout.required_paths()
    }
    for path in (*layout.required_paths(), *SOME_PATHS):
        kind = layout.kind_of(path)
        assert kind is not None
        most, flags = next((m, flags) for p, m, flags in lines if re.fullmatch(p, path))
        assert (int(most) << 10 == kind.max_bytes + (path == layout.MANIFEST)) or (
            int(most) << 10 > kind.max_bytes == layout.MAX_BUNDLE_BYTES
        ), path
        assert ("H" in flags) == kind.kept, path
    order = [
        next(i for i, line in enumerate(lines) if re.fullmatch(line[0], path))
        for path in sorted((*layout.required_paths(), *SOME_PATHS), key=layout.sort_key)
    ]
    assert order == sorted(order)
    assert len({*order}) == len(lines)


def test_the_check_value_of_the_cid() -> None:
    cid = digests.cid(b'{"a":1}')
    assert cid in page("reference/bundle-format.md")


def test_the_trust_file_of_the_page_is_one() -> None:
    block = re.search(r"```toml\n(.*?)```", page("reference/keys.md"), re.DOTALL)
    assert block is not None
    policy = parse(block[1].encode(), "keys.md")
    assert len(policy.keys) == 2
    assert policy.threshold("vendor-x") == 2
