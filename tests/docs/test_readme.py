"""What the README shows beside its commands, which tests/docs/test_commands.py runs."""

from __future__ import annotations

from pathlib import Path

from kolm_cli import load_spec
from tests.docs.pages import ROOT, blocks

README = ROOT / "README.md"


def test_it_is_short() -> None:
    # Beside the tree, which has a line for each room.
    rooms = len(list((ROOT / "kolm_cli").glob("*/__init__.py")))
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 160 + rooms


def test_its_spec_is_one(tmp_path: Path) -> None:
    (shown,) = [b for b in blocks(README) if b.marked("file") == "kolm.yaml"]
    path = tmp_path / "kolm.yaml"
    path.write_text(shown.text)
    loaded = load_spec(path)
    assert loaded.spec.base.model == "Qwen/Qwen2.5-VL-3B-Instruct"
    assert loaded.spec.evaluate.usd_per_hour == 1.8


def test_its_tree_names_every_room() -> None:
    text = README.read_text(encoding="utf-8")
    tree = text.split("## The tree", 1)[1].split("\n## ", 1)[0]
    rooms = {p.name for p in (ROOT / "kolm_cli").iterdir() if (p / "__init__.py").is_file()}
    shown = {line.split("/")[0].strip() for line in tree.splitlines() if "/ " in line}
    assert rooms <= shown
    for name in shown - rooms:
        assert (ROOT / name).is_dir(), name


def test_it_walks_through_the_main_job() -> None:
    commands = "\n".join(block.text for block in blocks(README) if block.language == "sh")
    for command in ("capture import", "validate", "compile", "verify", "receipt", "eval", "run"):
        assert f"kolm {command} " in commands, command
