"""A folder that `Dataset.save_to_disk` of `datasets` wrote: Arrow files, and what they hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from kolm_cli.core.errors import Problem
from kolm_cli.formats.containers.hf_features import features_of, records_of
from kolm_cli.formats.containers.parquet import pyarrow
from kolm_cli.formats.fields import RawRow
from kolm_cli.formats.image_references import ImageReader

STATE, SPLITS = "state.json", "dataset_dict.json"


def read(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """Every row by its number, counted from 1; a few rows are in memory at a time."""
    pa, _ = pyarrow("reading what save_to_disk wrote", name)
    number = 0
    try:
        state = json.loads((path / STATE).read_bytes())
        files = [file["filename"] for file in state["_data_files"]]
        if state.get("_indices_files") or state.get("_indices_data_files"):
            yield Problem(
                "its rows are chosen by an index file, which kolm does not read",
                where=name,
                fix="save it again: dataset.flatten_indices().save_to_disk(…)",
            )
            return
        for file in files:
            # Only names of files in this folder: the state comes from anywhere.
            with pa.memory_map(str(path / Path(file).name)) as source:
                stream = pa.ipc.open_stream(source)
                for record in records_of(stream, features_of(stream.schema.metadata)):
                    number += 1
                    yield RawRow(f"{name}:{number}", record, images)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        where = f"{name}:{number + 1}"
        yield Problem(f"not readable as save_to_disk writes it: {error}; stopped here", where)
