"""`gguf`: the merged model, and its tower and projector as an mmproj, for llama.cpp."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from kolm_cli.core.errors import Problem
from kolm_cli.export.base import File, Format, Serving, Source, text
from kolm_cli.export.readme import readme, shell

F16, Q8 = "f16", "q8_0"


def model_name(source: Source) -> str:
    """The file of the language model."""
    return f"model-{source.dtype}.gguf"


def mmproj_name(source: Source) -> str:
    """The file of the tower and the projector; empty where there is no tower."""
    # llama.cpp's tools leave it at f16 where the model is smaller: it is small, and rounding shows.
    return f"mmproj-{F16}.gguf" if source.base.family.takes.images else ""


def gguf_files(source: Source) -> Iterator[File]:
    """The model and the mmproj, converted from a merged folder that goes afterwards."""
    from kolm_cli.export.llama_cpp import convert

    merged = source.folder / "merged" / source.name
    _write_merged(source, merged)
    yield File(model_name(source), lambda place: convert(merged, place, dtype=source.dtype))
    if mmproj_name(source):
        yield File(
            mmproj_name(source), lambda place: convert(merged, place, dtype=F16, mmproj=True)
        )


def _write_merged(source: Source, folder: Path) -> None:
    from kolm_cli.export.settings import settings_files
    from kolm_cli.export.weights import merged_files

    scored = replace(source, dtype=source.scored)
    write_for_converter((*settings_files(scored), *merged_files(scored)), folder)


def write_for_converter(files: Iterable[File], folder: Path) -> None:
    """Write a model's files for the converter to read."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        # The converter needs no code of the base's, and must not run any.
        if not file.path.endswith(".py"):
            place = folder / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            file.write(place)


def _files(source: Source) -> Iterator[File]:
    yield from gguf_files(source)
    yield text("README.md", readme(source, "gguf", *_how(source)))


def _how(source: Source) -> Iterator[str]:
    mmproj = mmproj_name(source)
    yield "For llama.cpp: everything that was trained is in these files."
    told = f" --mmproj {mmproj}" if mmproj else ""
    yield shell(f"llama-server --model {model_name(source)}{told} --temp 0 --jinja")
    if mmproj:
        yield (
            f"`{mmproj}` holds the tower and the trained projector. With another model's mmproj the"
            " answers are worse, with no warning."
        )


def gguf_problems(source: Source) -> list[Problem]:
    """Why it cannot be merged; the converter says what it does not take."""
    from kolm_cli.export.llama_cpp import converter
    from kolm_cli.export.weights import merge_problems

    converter()
    return merge_problems(source)


FORMAT = Format(
    name="gguf",
    summary="the merged model and its mmproj for llama.cpp, at f16 or q8_0",
    files=_files,
    problems=gguf_problems,
    serving=lambda source: Serving(),
    dtypes=(F16, Q8),
    default_dtype=F16,
)
