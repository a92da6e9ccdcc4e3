"""Files that are small on disk and huge in memory or time are refused before they are decoded."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.capture.helpers import png

GIB = 1024**3


def _tar(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def huge_header(folder: Path) -> Path:
    path = folder / "x.tar"
    path.write_bytes(_header("a.png", 2**70) + _tar(("b.json", b"{}")))
    return path


def huge_folder_header(folder: Path) -> Path:
    path = folder / "x.tar"
    path.write_bytes(_header("a", 2**70, b"V") + _tar(("b.json", b"{}")))
    return path


def huge_long_name(folder: Path) -> Path:
    path = folder / "x.tar"
    path.write_bytes(_header("a", 2**70, tarfile.GNUTYPE_LONGNAME) + bytes(20_000))
    return path


def chain_of_headers(folder: Path) -> Path:
    path = folder / "x.tar"
    one = _header("././@LongLink", 10, tarfile.GNUTYPE_LONGNAME) + b"a".ljust(512, b"\0")
    path.write_bytes(one * 3000 + _tar(("b.json", b"{}")))
    return path


def _zipped(path: Path, head: bytes, size: int) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(head)
        block = bytes(1 << 20)
        for _ in range(size >> 20):
            stream.write(block)
    return path


def packed_member(folder: Path) -> Path:
    return _zipped(folder / "x.tar.gz", _header("a.bin", GIB), GIB)


def packed_pax_header(folder: Path) -> Path:
    return _zipped(folder / "x.tgz", _header("a", GIB, tarfile.XHDTYPE), GIB)


def packed_members(folder: Path) -> Path:
    """Each within its bound, and too many."""
    path = folder / "x.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        for number in range(20):
            stream.write(_header(f"{number}.png", 60 << 20) + bytes(60 << 20))
    return path


def parquet_list(folder: Path) -> Path:
    """One row, whose list has hundreds of millions of nulls."""
    path = folder / "x.parquet"
    values = pa.nulls(150_000_000, pa.int8())
    array = pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
    pq.write_table(pa.table({"prompt": ["q"], "tags": array}), path, compression="zstd")
    return path


def parquet_rows(folder: Path) -> Path:
    path = folder / "x.parquet"
    table = pa.table({"prompt": pa.nulls(30_000_000, pa.string())})
    pq.write_table(table, path, compression="zstd", row_group_size=30_000_000)
    return path


def parquet_text(folder: Path) -> Path:
    path = folder / "x.parquet"
    table = pa.table({"prompt": ["a" * (300 << 20)], "response": ["b"]})
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    return path


def parquet_columns(folder: Path) -> Path:
    path = folder / "x.parquet"
    pq.write_table(pa.table({f"c{i}": [1] for i in range(5000)}), path)
    return path


def parquet_pages(folder: Path) -> Path:
    """One long text in a dictionary, which a list of a row names a million times."""
    path = folder / "x.parquet"
    texts = pa.DictionaryArray.from_arrays(
        pa.array([0] * 1_000_000, pa.int32()), pa.array(["a" * (1 << 20)])
    )
    tags = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    pq.write_table(pa.table({"prompt": ["q"], "tags": tags}), path, compression="zstd")
    return path


def csv_columns(folder: Path) -> Path:
    path = folder / "x.csv"
    names = ",".join(f"column{i}" for i in range(60_000))
    cells = ",".join("x" for _ in range(60_000))
    path.write_text(f"prompt,response,{names}\nq,a,{cells}\n")
    return path


def csv_cells(folder: Path) -> Path:
    path = folder / "x.csv"
    path.write_text("prompt,response\n" + "," * 20_000_000 + "\n")
    return path


def json_keys(folder: Path) -> Path:
    path = folder / "x.jsonl"
    row = {"prompt": "q", "response": "a", **{f"column{i}": 1 for i in range(60_000)}}
    path.write_text((json.dumps(row) + "\n") * 3)
    return path


def json_values(folder: Path) -> Path:
    path = folder / "x.jsonl"
    path.write_text('{"prompt": [' + "[]," * 20_000_000 + "[]]}\n")
    return path


def json_array_values(folder: Path) -> Path:
    path = folder / "x.json"
    path.write_text('[{"prompt": [' + "[]," * 20_000_000 + "[]]}]\n")
    return path


def fifo_shard(folder: Path) -> Path:
    inside = folder / "in"
    inside.mkdir()
    os.mkfifo(inside / "x.tar")
    return inside


def fifo_parquet(folder: Path) -> Path:
    inside = folder / "in"
    inside.mkdir()
    os.mkfifo(inside / "x.parquet")
    return inside


def fifo_arrow(folder: Path) -> Path:
    inside = folder / "in"
    inside.mkdir()
    (inside / "dataset_info.json").write_text("{}")
    (inside / "state.json").write_text(json.dumps({"_data_files": [{"filename": "x.arrow"}]}))
    os.mkfifo(inside / "x.arrow")
    return inside


def packed_arrow(folder: Path) -> Path:
    inside = folder / "in"
    inside.mkdir()
    (inside / "dataset_info.json").write_text("{}")
    (inside / "state.json").write_text(json.dumps({"_data_files": [{"filename": "x.arrow"}]}))
    table = pa.table({"prompt": ["a" * (300 << 20)], "response": ["b"]})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(inside / "x.arrow", table.schema, options=options) as stream:
        stream.write_table(table)
    return inside


def many_bad_rows(folder: Path) -> Path:
    path = folder / "x.jsonl"
    path.write_bytes(b"7\n" * 10_000_000)
    return path


BOMBS: list[tuple[Callable[[Path], Path], str]] = [
    (huge_header, "cannot be in this archive"),
    (huge_folder_header, "cannot be in this archive"),
    (huge_long_name, "x.tar"),
    (chain_of_headers, "x.tar"),
    (packed_member, "cannot be in this archive"),
    (packed_pax_header, "x.tgz"),
    (packed_members, "cannot be in this archive"),
    (parquet_list, "values in a column"),
    (parquet_rows, "30000000 rows in a file of"),
    (parquet_text, "than the"),
    (parquet_columns, "5000 columns"),
    (parquet_pages, "not readable as Parquet"),
    (csv_columns, "60002 columns"),
    (csv_cells, "longer than any may be"),
    (json_keys, "60002 keys"),
    (json_values, "values in one record"),
    (json_array_values, "values in one record"),
    (packed_arrow, "it is compressed"),
    (many_bad_rows, "rows cannot be read"),
    (fifo_shard, "not a regular file"),
    (fifo_parquet, "not a regular file"),
    (fifo_arrow, "not a regular file"),
]


@pytest.mark.parametrize(("make", "said"), BOMBS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_bomb_is_refused_by_name(
    make: Callable[[Path], Path], said: str, tmp_path: Path, home: Path
) -> None:
    path = make(tmp_path)
    limits = (resource.RLIMIT_AS, (3 * GIB, 3 * GIB))
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "kolm_cli.cli.app", "capture", "import", str(path), "--to", "ns"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "KOLM_HOME": str(home)},
        preexec_fn=lambda: resource.setrlimit(*limits),
    )
    assert "Traceback" not in done.stderr
    assert said in done.stderr
    assert done.returncode == 2
    assert time.monotonic() - started < 100


def test_what_people_have_is_far_from_the_bounds(tmp_path: Path, home: Path) -> None:
    """Texts that compress well, beside a picture: a shard as people pack them."""
    rows = [
        (f"{i:05d}.json", json.dumps({"prompt": "How many?" * 20, "response": "7"}).encode())
        for i in range(300)
    ]
    members = [m for row in rows for m in ((row[0].replace("json", "png"), png()), row)]
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(_tar(*members)))
    from kolm_cli.formats.fields import ImportedRow
    from kolm_cli.formats.reader import read_rows

    found = list(read_rows(path))
    assert len(found) == 300
    assert all(isinstance(row, ImportedRow) for row in found)
