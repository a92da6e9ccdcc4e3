"""One catalogue says what is read and what is written."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from kolm_cli.capture.exporting import Selection, export
from kolm_cli.capture.store import Store
from kolm_cli.core.errors import InputError
from kolm_cli.formats import catalog
from kolm_cli.records.conversation import Conversation


def test_a_container_is_read_and_written_in_one_module() -> None:
    for container in catalog.CONTAINERS:
        module = importlib.import_module(f"kolm_cli.formats.containers.{container.module}")
        assert callable(module.read)
        assert hasattr(module, "writer") == bool(container.holds), container.name


def test_what_is_exported_is_what_is_imported_and_the_help_lists_it() -> None:
    help = Path("tests/cli/help/capture-export.txt").read_text().replace("-\n", "-")
    listed = "".join(help.split())
    for name in catalog.written_names():
        assert name in catalog.names()
        assert name in listed


def test_an_option_that_changes_nothing_is_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as store:
        store.add("ns", Conversation.of("q", "a"), {}, source="test")
        with pytest.raises(InputError, match="--embed changes nothing in parquet"):
            export(store, Selection("ns"), tmp_path / "x", "parquet", embed=True)
        with pytest.raises(InputError, match="there is no format 'folder'"):
            export(store, Selection("ns"), tmp_path / "x", "folder")
        report = export(store, Selection("ns"), tmp_path / "x.jsonl", "json")
    assert (report.pairs, report.format) == (1, "json")
