"""WebDataset's archives: hostile ones are refused, shards are read in order."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from kolm_cli.core.errors import Problem
from kolm_cli.formats.reader import read_rows
from tests.formats.helpers import IMAGES, jpeg_turned


def test_a_hostile_archive_writes_nothing_and_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:

        def put(
            name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
        ) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(data), kind, link
            archive.addfile(info, io.BytesIO(data))

        put("../../evil.png", IMAGES[0])
        put("../../evil.json", b'{"prompt": "q", "response": "a"}')
        put("l.png", kind=tarfile.SYMTYPE, link="/etc/passwd")
        put("d.png", kind=tarfile.CHRTYPE)
        put("a.png", IMAGES[0])
        put("a.png", IMAGES[1])
        put("a.json", b'{"prompt": "q", "response": "a", "image": "/etc/hostname"}')
        put("b.png", IMAGES[0])
    before = sorted(tmp_path.rglob("*"))
    found = [str(item) for item in read_rows(path) if isinstance(item, Problem)]
    text = "\n".join(found)
    assert "x.tar:l.png: a link or a device" in text
    assert "x.tar:d.png: a link or a device" in text
    assert "x.tar:a.png: occurs twice" in text
    # A record of an archive names members of its sample only, never files of the machine.
    assert "x.tar:a: image: no such image file: /etc/hostname" in text
    assert "x.tar:b: has neither" in text
    assert sorted(tmp_path.rglob("*")) == before
    path.write_bytes(path.read_bytes()[:1000])
    assert any("stopped here" in str(item) for item in read_rows(path))


def test_a_shard_folder_and_a_packed_archive(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    for shard in range(2):
        with tarfile.open(folder / f"s-{shard}.tar.gz", "w:gz") as archive:
            for i in range(3):
                for name, data in (
                    (f"{i:03}.jpg", jpeg_turned()),
                    (
                        f"{i:03}.json",
                        json.dumps({"prompt": f"{shard}{i}", "response": "a"}).encode(),
                    ),
                ):
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    rows = list(read_rows(folder))
    assert [row.where for row in rows] == [
        f"s-{s}.tar.gz:{i:03}" for s in range(2) for i in range(3)
    ]
