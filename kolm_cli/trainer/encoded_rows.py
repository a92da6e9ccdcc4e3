"""Rows as a torch dataset: encoded when they are asked for, kept while memory allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch.utils.data import Dataset, get_worker_info

from kolm_cli.encoding.encoded import Encoded
from kolm_cli.records.row import Row

# Encoding a row again costs an image decode and a resize; a gigabyte holds thousands of rows.
CACHE_BYTES = 1 << 30


class EncodedRows(Dataset[Encoded]):
    """Encodes each row once, as long as the encoded ones fit in `cache_bytes`."""

    def __init__(
        self,
        rows: Sequence[Row],
        encode: Callable[[Row], Encoded],
        *,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._rows, self._encode = rows, encode
        self._cache_bytes, self._used = cache_bytes, 0
        self._kept: dict[int, Encoded] = {}
        self._pictures: dict[tuple[str, ...], dict[str, torch.Tensor]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Encoded:
        found = self._kept.get(index)
        if found is None:
            found = self._encode(self._rows[index])
            self._keep(index, found)
        return found

    def _keep(self, index: int, encoded: Encoded) -> None:
        """Keep a row; rows that ask about the same images share one copy of their tensors."""
        shown = self._rows[index].conversation.images
        shared = self._pictures.get(shown)
        size = sum(t.nbytes for t in encoded.sequence.values())
        if shared is None:
            size += sum(t.nbytes for t in encoded.images.values())
        # Each data worker is a process with a cache of its own.
        worker = get_worker_info()
        if self._used + size > self._cache_bytes // (worker.num_workers if worker else 1):
            return
        self._used += size
        images = self._pictures.setdefault(shown, encoded.images)
        self._kept[index] = replace(encoded, images=images)
