"""A base's folder that links to its weights, with what was trained in full in one small file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.export.base import File, Source


def thin_files(source: Source, prefix: str) -> Iterator[File]:
    """Links to the base's weights, the trained tensors, and an index over both.

    The links are numbered, and what was trained has the last number: it wins in whatever goes by
    the index, and in whatever goes through the files in order, where what is read last stays. A
    link that kept the name `model.safetensors` would be loaded alone.
    """
    from kolm_cli.export.checkpoint import INDEX, SINGLE, read_checkpoint
    from kolm_cli.export.weights import index_file, total_bytes
    from kolm_cli.trainer.merged import Trained

    stored, trained = read_checkpoint(source.base), Trained.read(source.adapter)
    files = sorted({tensor.file for tensor in stored})
    count = len(files) + bool(trained.full)
    names = [SINGLE] if count == 1 else [_numbered(n, count) for n in range(1, count + 1)]
    name_of = dict(zip(files, names, strict=False))
    for file, name in name_of.items():
        digest = source.weights[file.name]
        yield File(prefix + name, _no_writing, target=file.resolve(), sha256=digest)
    where = {tensor.key: name_of[tensor.file] for tensor in stored}
    if trained.full:
        full = {t.key: t.parameter for t in stored if t.parameter in trained.full}
        where |= dict.fromkeys(full, names[-1])
        yield File(prefix + names[-1], lambda place: _save(source, full, place))
    if count > 1:
        yield index_file(prefix + INDEX, where, total_bytes(stored, source.dtype))


def _numbered(number: int, count: int) -> str:
    return f"model-{number:05}-of-{count:05}.safetensors"


def _save(source: Source, full: dict[str, str], path: Path) -> None:
    """Write what replaces tensors of the base, under the checkpoint's own names."""
    import torch
    from safetensors.torch import save_file

    from kolm_cli.trainer.merged import Trained

    trained, dtype = Trained.read(source.adapter), getattr(torch, source.dtype)
    tensors = {key: trained.full[name].to(dtype).contiguous() for key, name in full.items()}
    save_file(tensors, path, metadata={"format": "pt"})


def _no_writing(path: Path) -> None:
    raise AssertionError(f"{path} is a link")


def thin_problems(source: Source) -> list[Problem]:
    """Why what was trained in full cannot be put beside the base's files."""
    if not source.full_parts:
        return []
    from kolm_cli.export.checkpoint import read_checkpoint
    from kolm_cli.trainer.merged import Trained

    try:
        stored = read_checkpoint(source.base)
    except InputError as error:
        return list(error.problems)
    by_name = {tensor.parameter: tensor for tensor in stored}
    found = []
    for name in sorted(Trained.read(source.adapter).full):
        tensor = by_name.get(name)
        if tensor is not None and tensor.is_float and not tensor.converted:
            continue
        why = "do not hold it" if tensor is None else "hold it in another form"
        fix = "export --to peft, and load it with plain transformers"
        found.append(Problem(f"cannot be replaced: the base's files {why}", where=name, fix=fix))
    return found
