"""`peft`: the folder, loaded by the lines of its own README."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kolm_cli.export.base import Source
from kolm_cli.trainer.adapter_files import load_adapter
from tests.export.exports import exported
from tests.support.cases import Case, logits_of


@pytest.mark.parametrize("projector", ["train", "freeze"])
def test_its_readme_loads_it(
    projector: str,
    new_case: Callable[..., Case],
    new_source: Callable[..., Source],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = new_case("llava_next")
    source = new_source(case, projector=projector)
    folder = exported(source, "peft", tmp_path / "peft")
    readme = (folder / "README.md").read_text()
    assert ("without it the answers are worse" in readme) == (projector == "train")
    [code] = [part for part in readme.split("```") if part.startswith("python\n")]
    names: dict[str, Any] = {}
    monkeypatch.chdir(folder)
    lines = code.removeprefix("python\n").replace(f'"{case.base.name}"', f'"{case.folder}"')
    exec(compile(lines, "README.md", "exec"), names)  # noqa: S102
    rows = case.variety()[:2]
    expected = logits_of(case, load_adapter(case.fresh(), case.family, source.adapter), rows)
    assert torch.equal(logits_of(case, names["model"], rows), expected)
    assert type(names["processor"]) is type(case.processor)
