"""Reading a data set takes memory for a few of its images, in every format that holds them."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest

from kolm_cli.core import digests
from kolm_cli.dataset.frozen import freeze, thaw
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.images import BytesImage
from kolm_cli.records.row import Row
from kolm_cli.records.spool import Spool, SpooledImage

# Writes each kind of data set with 128 MB of images, reads it, and prints by how many MB the peak
# of the process grew. Nothing of the writing is in the process that reads.
SCRIPT = """
import base64, io, json, os, sys, tarfile
from pathlib import Path
MB, COUNT = 1 << 20, 128
kind, folder = sys.argv[1], Path(sys.argv[2])
def rows(image):
    for i in range(COUNT):
        yield {"image": image(i), "prompt": "q", "response": str(i)}
def content(i):
    return i.to_bytes(4, "big") * (MB // 4)
def uri(i):
    return "data:image/png;base64," + base64.b64encode(content(i)).decode()
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) >> 10
def write():
    path = folder / f"rows.{kind}"
    if kind == "jsonl":
        with path.open("w") as stream:
            stream.writelines(json.dumps(row) + "\\n" for row in rows(uri))
    elif kind == "json":
        with path.open("w") as stream:
            stream.write("[")
            for i, row in enumerate(rows(uri)):
                stream.write("," * (i > 0) + json.dumps(row))
            stream.write("]")
    elif kind == "csv":
        with path.open("w") as stream:
            stream.write("image,prompt,response\\n")
            stream.writelines(f"\\"{r['image']}\\",q,{r['response']}\\n" for r in rows(uri))
    elif kind == "tar":
        with tarfile.open(path, "w") as archive:
            for i in range(COUNT):
                record = json.dumps({"prompt": "q", "response": str(i)}).encode()
                for name, data in ((f"{i:05d}.png", content(i)), (f"{i:05d}.json", record)):
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    elif kind == "parquet":
        import pyarrow as pa, pyarrow.parquet as pq
        table = pa.Table.from_pylist(list(rows(lambda i: {"bytes": content(i), "path": None})))
        pq.write_table(table, path, row_group_size=8, compression=None, use_dictionary=False)
    elif kind == "paths":
        for i in range(COUNT):
            (folder / f"{i}.png").write_bytes(content(i))
if len(sys.argv) == 4:
    write()
    sys.exit()
import pyarrow, pyarrow.parquet
from kolm_cli.dataset.sources import read_source
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.spec.sources import FileSource
before = peak()
if kind == "paths":
    kept = rows_from_python(rows(lambda i: folder / f"{i}.png"))
elif kind == "python":
    kept = rows_from_python(rows(content))
else:
    found = read_source(FileSource(folder / f"rows.{kind}"))
    assert not found.problems, found.problems
    kept = found.rows
assert len(kept) == COUNT
for i, row in enumerate(kept):
    (image,) = row.images.values()
    assert image.read() == content(i)
print(json.dumps({"grew": peak() - before}))
"""


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "tar", "parquet", "paths", "python"])
def test_a_data_set_is_not_held_in_memory(kind: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    run = [sys.executable, str(script), kind, str(tmp_path)]
    if kind != "python":
        subprocess.run([*run, "write"], check=True)
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    # 8 MB are held, and what the reader of a format needs for a few rows comes to it.
    assert json.loads(done.stdout)["grew"] < 56
    assert not [*tmp_path.glob("home/tmp/*")]


def test_the_folder_goes_with_the_last_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOLM_HOME", str(tmp_path / "home"))
    spool = Spool(held_bytes=4)
    small, large = (spool.keep(digests.sha256_bytes(d), d) for d in (b"tiny", b"larger"))
    assert isinstance(small, BytesImage)
    assert isinstance(large, SpooledImage)
    assert spool.keep(large.sha256, b"larger") == large
    assert [small.read(), large.read()] == [b"tiny", b"larger"]
    file = large.file
    del spool, small
    gc.collect()
    assert file.exists()
    conversation = Conversation.of("q", "a", (large.sha256,))
    freeze([Row("1", conversation, {large.sha256: large})], tmp_path / "frozen", "train")
    frozen = tmp_path / "frozen" / "images" / large.sha256
    assert frozen.samefile(file)
    del large
    gc.collect()
    assert not file.parent.exists()
    (row,) = thaw(tmp_path / "frozen", "train")
    assert [image.read() for image in row.images.values()] == [b"larger"]
