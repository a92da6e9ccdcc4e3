"""The processor that a bundle carries, held against the one of its base before it is used."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from kolm_cli.bundle.format import configurations
from kolm_cli.core.errors import InputError, KolmError, Problem, VerificationError
from kolm_cli.core.progress import Progress
from kolm_cli.families.base import chat_template
from kolm_cli.families.image_limits import ImageLimits
from kolm_cli.families.resolve import Base
from kolm_cli.pipeline.unpacked import Unpacked

# What a tokenizer does to text beside looking it up: each step may make it longer, or take long.
_STEPS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")

# Sizes by which two processors are compared, and what they do with the colors.
_PROBES = ((640, 480), (1920, 1080), (400, 3000), (224, 224), (64, 48))
_COLORS = ("image_mean", "image_std", "rescale_factor", "do_rescale", "do_normalize")

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
            Problem(
                f"its processor cannot be loaded: {said[:300]}",
                "processor",
                "compile it again; `kolm doctor` says which transformers is here",
            )
        ) from error
    _as_asked(processor, files, base)
    _compare(processor, files, base, progress)
    return processor


def _limits(files: Unpacked) -> ImageLimits:
    return ImageLimits.of(files.spec["data"]["images"])


def _as_asked(processor: Any, files: Unpacked, base: Base) -> None:
    """Hold the processor against the limits on pictures that the bundle's spec asks for.

    Raises:
        VerificationError: it has others.
    """
    limits = _limits(files)
    if not limits.given:
        return
    try:
        asked = base.family.limited(processor, limits)
        same = _picture_settings(asked) == _picture_settings(processor)
    except InputError:
        same = False
    if not same:
        raise VerificationError(
            Problem(
                "its processor does not show pictures as its spec asks",
                where="data.images",
                fix="do not use this bundle",
            )
        )


def _picture_settings(processor: Any) -> str:
    return str(processor.image_processor.to_json_string())


def _note_other_pictures(
    own: Any, theirs: Any, files: Unpacked, base: Base, progress: Progress
) -> None:
    """Say where the base's processor, within the bundle's limits, would show other pictures."""
    if base.family.shown_size is None or not hasattr(own, "image_processor"):
        return
    with contextlib.suppress(InputError):  # Then it differs, and the sizes show how.
        theirs = base.family.limited(theirs, _limits(files))
    try:
        how = _difference(own, theirs, base)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        how = f"its processor cannot say how it shows them ({error!r:.100})"
    if how:
        progress.note(f"{how}; pictures are shown as the bundle does")


def _difference(own: Any, theirs: Any, base: Base) -> str:
    for size in _PROBES:
        shown = [base.family.shown(one, size) for one in (own, theirs)]
        if shown[0] != shown[1]:
            one, other = (f"{width} x {height}" for width, height in shown)
            return (
                f"the base here shows a picture of {size[0]} x {size[1]} at {other}, the bundle at"
                f" {one}"
            )
    colors = [[getattr(p.image_processor, name, None) for name in _COLORS] for p in (own, theirs)]
    return "the base here scales colors in another way" if colors[0] != colors[1] else ""


def _compare(processor: Any, files: Unpacked, base: Base, progress: Progress) -> None:
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
    _note_other_pictures(processor, theirs, files, base, progress)
    tokenizers = [base.family.tokenizer(one) for one in (processor, theirs)]
    if _tokens(tokenizers[0]) != _tokens(tokenizers[1]):
        progress.note(
            "WARNING: its tokens differ from its base's: the model may be told something else than"
            " what you write"
        )
    own, wanted = map(_steps, tokenizers)
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


def _tokens(tokenizer: Any) -> list[Any]:
    """What each token stands for, and those that a template puts around a conversation."""
    return [tokenizer.get_vocab(), tokenizer.special_tokens_map]


def _steps(tokenizer: Any) -> dict[str, Any]:
    """The steps of a fast tokenizer; none of others, which kolm does not write."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return {}
    whole = json.loads(backend.to_str())
    return {step: whole.get(step) for step in _STEPS}
