"""A folder that `Dataset.save_to_disk` of `datasets` wrote: Arrow files, and what they hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import Problem
from kolm_cli.core.files import open_regular, read_regular
from kolm_cli.formats.budget import MAX_ENTRIES, Budget, BudgetError, check_columns
from kolm_cli.formats.containers.arrow_messages import is_compressed
from kolm_cli.formats.containers.hf_features import features_of, records_of
from kolm_cli.formats.containers.parquet import pyarrow
from kolm_cli.formats.fields import RawRow, Table
from kolm_cli.formats.image_references import ImageReader

# What else damaged or hostile files raise.
_FAULTS = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError)
_MAX_STATE = 16 * 1024 * 1024
STATE, SPLITS = "state.json", "dataset_dict.json"


def read(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """Every row by its number, counted from 1; a few rows are in memory at a time."""
    pa, _ = pyarrow("reading what save_to_disk wrote", name)
    number = 0
    try:
        state = json.loads(read_regular(path / STATE, _MAX_STATE))
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
            with (
                open_regular(path / Path(file).name) as raw,
                pa.memory_map(str(path / Path(file).name)) as source,
            ):
                budget = Budget.of(raw)
                _refuse_compressed(pa, source)
                stream = pa.ipc.open_stream(source)
                check_columns(len(stream.schema.names))
                features = features_of(stream.schema.metadata)
                table = Table(name, tuple(stream.schema.names))
                for record in budget.timed(records_of(_within(stream, budget), features)):
                    number += 1
                    yield RawRow(f"{name}:{number}", record, images, table)
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        OverflowError,
        RecursionError,
    ) as error:
        where = f"{name}:{number + 1}"
        yield Problem(f"not readable as save_to_disk writes it: {error}; stopped here", where)


def _refuse_compressed(pa: Any, source: Any) -> None:
    """Raise `BudgetError` for a file with a compressed part, whose size nothing bounds.

    `datasets` writes none. The bodies are mapped and not read.
    """
    messages = pa.ipc.MessageReader.open_stream(source)
    for message in messages:
        if is_compressed(message.metadata.to_pybytes()):
            raise BudgetError("it is compressed, which save_to_disk does not do")
    source.seek(0)


def _within(batches: Iterable[Any], budget: Budget) -> Iterator[Any]:
    """The same batches, while they are in proportion to the file."""
    total = rows = 0
    for batch in batches:
        total += batch.nbytes
        budget.check_bytes(total)
        rows += batch.num_rows
        if rows > MAX_ENTRIES:
            raise BudgetError(f"more than {MAX_ENTRIES} rows")
        yield batch
