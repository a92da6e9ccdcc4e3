"""Folders of images: sidecar files, metadata, and where images are looked for."""

from __future__ import annotations

from pathlib import Path

from kolm_cli.formats.fields import ImportedRow
from kolm_cli.formats.reader import read_rows
from tests.formats.helpers import IMAGES, NAMES


def test_a_sidecar_folder_names_an_image_without_its_json(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(IMAGES[0])
    (folder / "a.json").write_text('{"prompt": "q", "response": "a"}')
    (folder / "deep" / "b.png").write_bytes(IMAGES[1])
    (folder / "README.md").write_text("about")
    row, problem = read_rows(folder)
    assert isinstance(row, ImportedRow)
    assert row.conversation.images == (NAMES[0],)
    assert str(problem) == "deep/b.png: there is no deep/b.json beside it"


def test_an_imagefolder_with_csv_metadata_in_a_subfolder(tmp_path: Path) -> None:
    folder = tmp_path / "f" / "train"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(IMAGES[0])
    (folder / "metadata.csv").write_text("file_name,prompt,response\na.png,q,a\nb.png,q,a\n")
    row, problem = read_rows(tmp_path / "f")
    assert isinstance(row, ImportedRow)
    assert row.where == "train/metadata.csv:2"
    assert str(problem) == "train/metadata.csv:3: image: no such image file: b.png"
