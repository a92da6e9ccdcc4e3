"""Images outside the folder of their data set: shown and recorded, or refused with `--confine`."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from kolm_cli.dataset.sources import read_source
from kolm_cli.spec.sources import FileSource
from tests.capture.helpers import Kolm, png, write_rows


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with an image, and a neighbour with three others."""
    folder, other = tmp_path / "data", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (folder / "in.png").write_bytes(png((1, 1, 1)))
    for number in range(3):
        (other / f"{number}.png").write_bytes(png((90, number, 0)))
    return folder


def _rows(folder: Path, *images: object) -> Path:
    rows = [{"image": i, "prompt": f"q{n}", "response": "a"} for n, i in enumerate(images)]
    return write_rows(folder / "rows.jsonl", rows)


def test_images_outside_are_counted_and_shown(data: Path, home: Path, kolm: Kolm) -> None:
    other = data.parent / "other"
    os.symlink(other / "2.png", data / "link.png")
    path = _rows(
        data, "in.png", str(other / "0.png"), "../other/1.png", "link.png", f"file://{other}/0.png"
    )
    done = kolm("capture", "import", path, "--to", "ns")
    assert done.code == 0
    assert f"3 images outside {data}/" in done.err
    again = kolm("capture", "import", path, "--to", "ns", "--json").json
    assert again["images_outside"] == {"folder": str(data), "images": 3}


def test_nothing_is_said_where_all_is_inside(data: Path, home: Path, kolm: Kolm) -> None:
    os.symlink("in.png", data / "also.png")
    (data / "deep").mkdir()
    path = _rows(data, "in.png", "deep/../in.png", str(data / "in.png"), "also.png")
    done = kolm("capture", "import", path, "--to", "ns", "--confine")
    assert (done.code, "outside" in done.err) == (0, False)


@pytest.mark.parametrize("way", ["absolute", "dots", "uri", "link", "linked folder"])
def test_confine_refuses_every_way_out(way: str, data: Path, home: Path, kolm: Kolm) -> None:
    other = data.parent / "other"
    os.symlink(other / "0.png", data / "link.png")
    os.symlink(other, data / "folder")
    ways = {
        "absolute": str(other / "0.png"),
        "dots": "../other/0.png",
        "uri": f"file://{other}/0.png",
        "link": "link.png",
        "linked folder": "folder/0.png",
    }
    path = _rows(data, "in.png", ways[way])
    done = kolm("capture", "import", path, "--to", "ns", "--confine")
    assert done.code == 2
    assert "rows.jsonl:2" in done.err
    assert "which --confine refuses" in done.err
    assert kolm("capture", "import", path, "--to", "ns").code == 0


def test_confine_refuses_links_in_a_folder(data: Path, home: Path, kolm: Kolm) -> None:
    secret = _rows(data.parent / "other", "0.png")
    os.symlink(secret, data / "rows.jsonl")
    done = kolm("capture", "import", data, "--to", "ns", "--confine")
    assert done.code == 2
    assert "a link that leads outside" in done.err


def test_images_may_be_named_a_folder_of_their_own(data: Path, home: Path, kolm: Kolm) -> None:
    other = data.parent / "other"
    path = _rows(data, "0.png", "1.png")
    more = ("--images", other, "--confine")
    assert kolm("capture", "import", path, "--to", "ns", *more).code == 0
    path = _rows(data, "0.png", str(data / "in.png"))
    assert kolm("capture", "import", path, "--to", "ns", *more).code == 2


def test_members_of_archives_are_confined_always(data: Path, home: Path, kolm: Kolm) -> None:
    path = data / "x.tar"
    row = {"prompt": "q", "response": "a", "image": str(data / "in.png")}
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("a.json")
        text = json.dumps(row).encode()
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
    assert kolm("capture", "import", path, "--to", "ns").code == 2


def test_a_source_for_training_says_it_too(data: Path, home: Path) -> None:
    path = _rows(data, str(data.parent / "other" / "0.png"))
    assert read_source(FileSource(path)).notes == [f"1 images outside {data}/"]
