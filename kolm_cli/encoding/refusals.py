"""Rows that the model itself refuses: named when it happens."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch

from kolm_cli.core.errors import InputError, KolmError, Problem

# What models raise on inputs that do not fit them.
_FAULTS = (RuntimeError, ValueError, IndexError, TypeError, KeyError, AssertionError)
# Not about the rows: what is missing then is told elsewhere.
_OTHERS = ("deterministic", "out of memory", "shared memory", "DataLoader worker")
_NAMED = 16


@contextlib.contextmanager
def naming(ids: Sequence[str]) -> Iterator[None]:
    """Say of a fault which rows the model was at work on.

    Raises:
        InputError: the model raised on them.
        KolmError: the GPU did, which may have another reason.
    """
    try:
        yield
    except KolmError:
        raise
    except torch.OutOfMemoryError:
        raise
    except _FAULTS as error:
        said = str(error)
        if not ids or any(word in said for word in _OTHERS):
            raise
        where = ", ".join(ids[:_NAMED]) + (", …" if len(ids) > _NAMED else "")
        several = "one of these rows" if len(ids) > 1 else "it"
        reason = f"{type(error).__name__}: {said.splitlines()[0][:300] if said else 'no reason'}"
        kind = KolmError if "CUDA" in said else InputError
        raise kind(
            Problem(
                f"the model refuses {several}: {reason}",
                where=where,
                fix="leave the row out, or show its images at another size",
                kind="refused-by-model",
            )
        ) from error
