"""What a plan starts from: the base or what is published of it, and rows, real or assumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from kolm_cli.core.errors import InputError, KolmError, LackingError, Problem, raise_if_any
from kolm_cli.families.catalog import by_config
from kolm_cli.families.resolve import Base, resolve_base
from kolm_cli.plan.published_models import Published, published_models
from kolm_cli.records.row import Row
from kolm_cli.spec.load import LoadedSpec
from kolm_cli.spec.model import Spec

if TYPE_CHECKING:
    from kolm_cli.encoding.encoder import Encoder
    from kolm_cli.plan.assumed_rows import AssumedRows


# What each kind of tower calls its sizes, of which none can be 0.
_SIZES = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("num_key_value_heads", "vocab_size", "depth", "num_heads", "patch_size", "image_size"),
    "embed_dim",
)


@dataclass(frozen=True)
class PlannedBase:
    """The base of a plan: its files, or what is published about it.

    Attributes:
        name: the hub id or the folder's name.
        base: its files; None when they are not here.
        published: what is known instead.
    """

    name: str
    base: Base | None
    published: Published | None

    @property
    def config(self) -> Mapping[str, Any]:
        """Its parsed `config.json`."""
        known = self.base or self.published
        if known is None:
            raise KolmError("a plan without a base")
        return known.config


@dataclass(frozen=True)
class PlannedRows:
    """The rows of a plan.

    Attributes:
        train: rows to look at.
        count: how many rows there are.
        asked: how many rows are answered.
        assumed: what they are assumed to be; None when they are real.
    """

    train: Sequence[Row]
    count: int
    asked: int
    assumed: AssumedRows | None = None


def find_base(loaded: LoadedSpec) -> PlannedBase:
    """The base's configuration, processor and tokenizer; else the published numbers.

    Raises:
        LackingError: neither is here.
    """
    spec = loaded.spec
    try:
        base = resolve_base(
            str(loaded.base_folder) if loaded.base_folder else spec.base.model,
            spec.base.revision,
            trust_remote_code=spec.base.trust_remote_code,
            weights=False,
        )
    except LackingError:
        known = published_models().get(spec.base.model)
        if known is None:
            raise
        return PlannedBase(known.model, None, known)
    raise_if_any(_no_sizes(base.config), hint="fetch the checkpoint again")
    return PlannedBase(base.name, base, None)


def _no_sizes(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Sizes that no model has: transformers makes one of no layers without a word."""
    parts: list[Any] = [config]
    while parts:
        for name, value in parts.pop().items():
            if isinstance(value, dict):
                parts.append(value)
            elif name in _SIZES and type(value) is int and value < 1:
                yield Problem(
                    f"its config.json has {value} as {name}",
                    where="base.model",
                    fix="look at its config.json",
                )


def read_rows(loaded: LoadedSpec) -> PlannedRows:
    """The spec's own rows.

    Raises:
        InputError: they cannot be read, or there are none.
    """
    try:
        train = _rows(loaded, "train")
        return PlannedRows(train, len(train), len(_rows(loaded, "eval")))
    except InputError as error:
        raise InputError(
            *error.problems, hint=error.hint or "kolm plan --rows N plans for rows that are assumed"
        ) from error


def assume_rows(assumed: AssumedRows, encoder: Encoder, longest_answer: int) -> PlannedRows:
    """Rows that nobody has yet, all alike.

    Raises:
        InputError: no such row can be.
    """
    row = assumed.row(encoder, longest_answer)
    return PlannedRows([row], assumed.rows, assumed.asked, assumed)


def _rows(loaded: LoadedSpec, side: Literal["train", "eval"]) -> list[Row]:
    from kolm_cli.pipeline.data import Data

    source = loaded.train_source if side == "train" else loaded.eval_source
    rows = Data(source, loaded.spec.data).rows()
    raise_if_any(rows.problems)
    if not rows.rows:
        raise InputError(Problem("it has no rows", f"data.{side}", "name a source that has some"))
    return list(rows.rows)


def encoder_of(spec: Spec, found: PlannedBase) -> Encoder:
    """What encodes rows for the base."""
    from kolm_cli.families.image_limits import ImageLimits
    from kolm_cli.pipeline.preflight import encoder_for, limits_of
    from kolm_cli.plan.stand_in import StandInEncoder, image_id, stand_in_processor

    images = ImageLimits(**spec.data.images.model_dump())
    if found.base is not None:
        return encoder_for(spec, found.base)
    published, family = found.published, by_config(found.config)
    if family is None or published is None:
        raise InputError(Problem("no family claims it", found.name, "see `kolm families`"))
    family.register()
    processor = stand_in_processor(family, published)
    family.limit_images(processor, images)
    limits = replace(limits_of(spec), fit=images.resize == "fit")
    return StandInEncoder(family, processor, limits, spec.train.loss_on, image_id(published.config))
