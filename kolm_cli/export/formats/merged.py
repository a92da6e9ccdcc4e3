"""`merged`: base, LoRA and projector in one Hugging Face folder, which everything loads."""

from __future__ import annotations

from collections.abc import Iterator

from kolm_cli.core.errors import Problem
from kolm_cli.export.base import File, Format, Serving, Source, text
from kolm_cli.export.readme import code, readme


def _files(source: Source) -> Iterator[File]:
    from kolm_cli.export.settings import settings_files
    from kolm_cli.export.weights import merged_files

    yield from settings_files(source)
    yield from merged_files(source)
    yield text("README.md", readme(source, "transformers", *_how(source)))


def _how(source: Source) -> Iterator[str]:
    auto, native = source.base.family.auto_class, source.base.family.native
    yield (
        "The adapter and everything else that was trained are in the weights. Load it as any other"
        " model:"
    )
    yield code(
        *([f"from kolm_cli.families.native.{native} import register"] if native else []),
        f"from transformers import {auto}, AutoProcessor",
        "",
        *(["register()"] if native else []),
        f'model = {auto}.from_pretrained(".", dtype="{source.dtype}")',
        'processor = AutoProcessor.from_pretrained(".")',
    )


def _problems(source: Source) -> list[Problem]:
    from kolm_cli.export.weights import merge_problems

    return merge_problems(source)


FORMAT = Format(
    name="merged",
    summary="one Hugging Face folder with the adapter and the projector in the weights",
    files=_files,
    problems=_problems,
    serving=lambda source: Serving(model="."),
)
