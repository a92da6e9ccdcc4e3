"""What to change, each line with its effect, found by counting again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kolm_cli.core.errors import InputError
from kolm_cli.encoding.encoded import RowError
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.encoding.open_images import open_images
from kolm_cli.families.image_limits import ImageLimits
from kolm_cli.plan.counts import StepCounts
from kolm_cli.plan.planned import Planned
from kolm_cli.records.row import Row
from kolm_cli.spec.model import TrainSection

# A tile is a large step: half of the pixels may take as many of them.
_HALVINGS = 4


@dataclass(frozen=True)
class Change:
    """A change of the spec.

    Attributes:
        write: what to write.
        counts: a step with it.
        cost: what it changes besides, for the reader.
        bf16: whether the run still has it.
    """

    write: str
    counts: StepCounts
    cost: str = ""
    bf16: bool = True


def changes(
    planned: Planned, train: TrainSection, rows: Sequence[Row], *, has_bf16: bool = True
) -> Iterator[Change]:
    """Changes that are worth trying, counted one after the other.

    Args:
        planned: the model.
        train: as the spec has it.
        rows: the largest micro-batch.
        has_bf16: whether the device computes in it: where not, nothing else helps.
    """
    if train.bf16 and not has_bf16:
        for also, words in ({}, ""), ({"gradient_checkpointing": True}, "; layers run once more"):
            if also and train.gradient_checkpointing:
                continue
            other = train.model_copy(update={"bf16": False, **also})
            more = ", gradient_checkpointing: true" if also else ""
            yield Change(
                f"train: {{bf16: false{more}}}",
                planned.step(other, rows),
                f"four bytes a weight{words}",
                bf16=False,
            )
        return
    yield checkpointing(planned, train, rows)
    size, steps = train.per_device_train_batch_size, train.gradient_accumulation_steps
    if size > 1:
        half = train.model_copy(
            update={
                "per_device_train_batch_size": size // 2,
                "gradient_accumulation_steps": steps * size // (size // 2),
            }
        )
        yield Change(
            f"train: {{per_device_train_batch_size: {half.per_device_train_batch_size},"
            f" gradient_accumulation_steps: {half.gradient_accumulation_steps}}}",
            planned.step(half, rows[: size // 2]),
            "the same rows a step",
        )
    if train.lora_r > 4:
        rank = train.model_copy(update={"lora_r": train.lora_r // 2})
        yield Change(
            f"train: {{lora_r: {rank.lora_r}}}", planned.step(rank, rows), "a smaller adapter"
        )
    if (smaller := _smaller_pictures(planned.encoder, rows)) is not None:
        write, encoder = smaller
        yield Change(write, planned.step(train, rows, encoder), "less to see in each picture")
    if train.projector == "train":
        small = train.model_copy(update={"projector": "lora"})
        yield Change(
            "train: {projector: lora}",
            planned.step(small, rows),
            "the projector learns less freely",
        )
        frozen = train.model_copy(update={"projector": "freeze"})
        yield Change(
            "train: {projector: freeze}", planned.step(frozen, rows), "the projector stays as it is"
        )


def checkpointing(planned: Planned, train: TrainSection, rows: Sequence[Row]) -> Change:
    """The same step with checkpointing turned over."""
    other = not train.gradient_checkpointing
    turned = train.model_copy(update={"gradient_checkpointing": other})
    return Change(
        f"train: {{gradient_checkpointing: {str(other).lower()}}}",
        planned.step(turned, rows),
        "the same gradients; layers run once more" if other else "the same gradients",
    )


def _smaller_pictures(encoder: Encoder, rows: Sequence[Row]) -> tuple[str, Encoder] | None:
    """Half of the pixels that the largest picture is shown in, or fewer if tiles make it so.

    None where the family takes no limit, or no smaller one.
    """
    sizing = encoder.family.image_sizing
    sizes = [
        encoder.family.shown(encoder.processor, image.size)
        for row in rows
        for image in open_images(row)
    ]
    if sizing is None or not sizes:
        return None
    name = sizing.largest
    most = max(w * h if name == "max_pixels" else max(w, h) for w, h in sizes)
    before = sum(encoder.training(row).image_tokens for row in rows)
    for _ in range(_HALVINGS):
        most = int(most / 2 if name == "max_pixels" else most / 2**0.5)
        try:
            limited = encoder.family.limited(encoder.processor, ImageLimits.of({name: most}))
            smaller = replace(encoder, processor=limited)
            after = sum(smaller.training(row).image_tokens for row in rows)
        except (InputError, RowError, ValueError):
            return None
        if after < before:
            return f"data: {{images: {{{name}: {most}}}}}", smaller
    return None
