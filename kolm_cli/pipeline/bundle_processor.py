"""The processor that a bundle carries, held against the one of its base before it is used."""

from __future__ import annotations

import json
from typing import Any

from kolm_cli.bundle.format import configurations
from kolm_cli.core.errors import KolmError, Problem, VerificationError
from kolm_cli.core.progress import Progress
from kolm_cli.families.base import chat_template
from kolm_cli.families.resolve import Base
from kolm_cli.pipeline.unpacked import Unpacked

# What a tokenizer does to text beside looking it up: each step may make it longer, or take long.
_STEPS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")

_PARTS = ("image_processor", "video_processor", "audio_processor", "feature_extractor", "tokenizer")


def load_processor(files: Unpacked, base: Base, progress: Progress) -> Any:
    """The bundle's own processor, with the limits on pictures that it was trained with.

    Its chat template may be another than the base's, and that is said. Its classes and the steps
    of its tokenizer may not: nothing bounds what others do with a picture or a text.

    Raises:
        VerificationError: it cannot be loaded, or its tokenizer is not the base's.
    """
    configurations.require(files.folder)
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        processor = base.family.load_processor(str(files.folder / "processor"), **options)
    except KolmError:
        raise
    except Exception as error:  # transformers raises anything on files that do not fit
        said = f"{error}".strip().partition("\n")[0] or type(error).__name__
        raise VerificationError(
            Problem(f"its processor cannot be loaded: {said[:300]}", where="processor")
        ) from error
    _compare(processor, base, progress)
    return processor


def _compare(processor: Any, base: Base, progress: Progress) -> None:
    try:
        theirs = base.family.load_processor(base.source, **base.load_options())
    except Exception as error:  # the user's own folder, where only the weights have to be
        progress.note(f"its processor cannot be compared with its base's: {error!s:.200}")
        return
    if chat_template(processor) != chat_template(theirs):
        progress.note(
            "WARNING: its chat template differs from its base's: it may put other questions to the"
            " model than yours"
        )
    classes = [_classes(one) for one in (processor, theirs)]
    if classes[0] != classes[1]:
        raise VerificationError(
            Problem(
                f"its processor is of {', '.join(classes[0])}, but its base's of"
                f" {', '.join(classes[1])}",
                where="processor",
                fix="do not use this bundle",
            )
        )
    own, wanted = (_steps(base.family.tokenizer(one)) for one in (processor, theirs))
    other = [step for step in _STEPS if own.get(step) != wanted.get(step)]
    if other:
        raise VerificationError(
            Problem(
                f"its tokenizer is not its base's: {', '.join(other)} differ",
                where="processor/tokenizer.json",
                fix="compile it again with the base that is here",
            )
        )


def _classes(processor: Any) -> list[str]:
    """The classes of a processor and its parts."""
    parts = (getattr(processor, name, None) for name in _PARTS)
    return [type(one).__name__ for one in (processor, *parts) if one is not None]


def _steps(tokenizer: Any) -> dict[str, Any]:
    """The steps of a fast tokenizer; none of others, which kolm does not write."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return {}
    whole = json.loads(backend.to_str())
    return {step: whole.get(step) for step in _STEPS}
