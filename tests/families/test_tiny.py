"""Tiny bases: one for each family that kolm trains, the same bytes each time; none for others."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kolm_cli.cli.app import build_app
from kolm_cli.core.errors import InputError
from kolm_cli.families import catalog
from kolm_cli.families.base import Family
from kolm_cli.families.support import Unsupported
from kolm_cli.families.tiny.catalog import makers, write_tiny


@pytest.mark.parametrize("family", catalog.families(), ids=lambda family: family.name)
def test_every_family_that_trains_has_one(family: Family) -> None:
    if isinstance(family.support, Unsupported):
        with pytest.raises(InputError, match=f"no tiny base is defined for {family.name}"):
            makers(family)
    else:
        assert makers(family)


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    family = catalog.by_name("text")
    assert family is not None
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        (tmp_path / name).mkdir()
        write_tiny(family, tmp_path / name, seed=seed, width=32, layers=1, variant="qwen2")
    one, same, other = ({p.name: p.read_bytes() for p in f.iterdir()} for f in _folders(tmp_path))
    assert one == same
    assert {name for name in one if one[name] != other[name]} == {"model.safetensors"}


def _folders(root: Path) -> list[Path]:
    return [root / "one", root / "same", root / "other"]


def test_the_command_refuses_a_family_without_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        build_app(), ["tiny-base", str(tmp_path / "base"), "--family", "mllama"]
    )
    assert isinstance(result.exception, InputError)
    assert "no tiny base is defined for mllama" in str(result.exception)
    assert not (tmp_path / "base").exists()
