"""A place that no file can be written to is refused before hours are spent on the content."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.core.files import require_writable, write_atomic


def test_a_new_file_in_new_folders_is_fine_and_nothing_is_made(tmp_path: Path) -> None:
    require_writable(tmp_path / "a" / "b" / "x.kolm")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_fine_and_stays(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    require_writable(tmp_path / "x")
    assert (tmp_path / "x").read_text() == "mine"


@pytest.mark.parametrize("where", ["/proc/x/y", "/proc/x", "/sys/x/y", "/dev/null/x"])
def test_file_systems_without_files_of_ours(where: str) -> None:
    with pytest.raises(InputError, match="no file can be written there"):
        require_writable(Path(where))


def test_a_pipe_or_a_device_is_no_place_and_stays(tmp_path: Path) -> None:
    """Root would rename a file over `/dev/null`."""
    os.mkfifo(tmp_path / "pipe")
    for write in (require_writable, lambda path: write_atomic(path, b"x")):
        with pytest.raises(InputError, match="is a device or a pipe"):
            write(tmp_path / "pipe")
    assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]


def test_a_folder_a_file_on_the_way_a_dangling_link_and_a_long_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    places = {
        tmp_path: "this is a folder",
        tmp_path / "file" / "x" / "y": "Not a directory",
        tmp_path / "link" / "x": "no file can be written there",
        tmp_path / ("n" * 300): "File name too long",
    }
    for place, words in places.items():
        with pytest.raises(InputError, match=words):
            require_writable(place)


def test_a_folder_of_somebody_else() -> None:
    with TemporaryDirectory() as name:
        Path(name).chmod(0o555)
        before = os.geteuid()
        if before == 0:
            # Root may write everywhere; nobody may not.
            os.seteuid(65534)
        try:
            with pytest.raises(InputError, match="Permission denied"):
                require_writable(Path(name) / "x")
        finally:
            os.seteuid(before)
