"""A damaged Arrow file is a problem with a name, and does not end the process."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pyarrow as pa


def test_offsets_that_lead_out_of_a_file_are_refused(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "dataset_info.json").write_text("{}")
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "x.arrow"}]}))
    table = pa.table({"prompt": ["qqq"] * 9, "response": ["aaa"] * 9, "images": [[]] * 9})
    with pa.ipc.new_stream(folder / "x.arrow", table.schema) as stream:
        stream.write_table(table)
    data = (folder / "x.arrow").read_bytes()
    offsets = struct.pack("<10i", *range(0, 30, 3))
    assert offsets in data
    wild = struct.pack("<10i", *range(0, 2**31 - 1, 2**31 // 10)[:10])
    (folder / "x.arrow").write_bytes(data.replace(offsets, wild))
    done = subprocess.run(
        [sys.executable, "-m", "kolm_cli.cli.app", "capture", "import", str(folder), "--to", "ns"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "KOLM_HOME": str(home)},
    )
    assert done.returncode == 2, done.stderr
    assert "not readable as save_to_disk writes it" in done.stderr
