"""The text of a new spec: a template whose values and comments fit what is known of the data."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kolm_cli.core.errors import InputError

if TYPE_CHECKING:
    from kolm_cli.dataset.proposal import DataFacts, ProposedSplit, Schedule

# A tab comes before each comment that is to be aligned.
_TEMPLATE = """\
# A kolm spec: what is trained, on what, what it must reach. Every field: docs/reference/spec.md.
kolm: 1
name: {name}\t# also the bundle's: dist/{plain_name}.kolm

base:
  model: {model}
  # revision: main\t# a branch, tag or commit of a hub model

data:\t# paths start at this file
  train: {train}\t# {about_train}
  eval: {eval}\t# {about_eval}
  {max_images}
  {images}

train:
  lora_r: 16\t# rank of the adapter; more learns more and weighs more
  lora_alpha: 32
  lora_targets: default\t# default | all-linear | a list of module names
  freeze_vision: true\t# the vision tower stays as it is
  projector: train\t# train | lora (many adapters on one server) | freeze | freeze_after_warmup
  projector_learning_rate: {projector_rate}
  learning_rate: {rate}\t# {about_rate}
  max_seq_length: 2048\t# tokens, image tokens included
  num_train_epochs: {epochs}\t# {about_epochs}
  per_device_train_batch_size: {batch}
  gradient_accumulation_steps: {accumulation}
{bf16}  seed: 42

launch:
  device: {device}\t# {about_device}
  num_processes: 1\t# one a GPU

evaluate:
  metric: {metric}\t# {about_metric}
  max_new_tokens: {max_new_tokens}
  # usd_per_hour: 1.80\t# price of the machine that answers; K is undefined without it
  # during: {{every: 0.25 epochs, rows: 32}}\t# loss and accuracy of rows of the pack while training
  gate:\t# `kolm compile` exits 3 when a result stays below
    accuracy: 0.80
    # k: 0.70\t# needs usd_per_hour

bundle:
  out: dist/\t# relative to where you run kolm
"""

_METRICS = {
    "relaxed_accuracy": "most answers are numbers: 5 % off is right",
    "exact_match": "the answers are short: right letter by letter, or wrong",
    "json_fields": "the answers are JSON: right field by field",
    "anls": "the answers are long: a few wrong letters cost a little",
}


@dataclass(frozen=True)
class SpecText:
    """What is known of a spec to be.

    Attributes:
        name: its name.
        model: the base as the spec writes it.
        namespace: where its pairs are, or shall be, captured.
        device: the device of this machine.
        small_base: whether the base is so small that it needs higher rates.
        facts: what the pairs look like; None while nothing is known of them.
        split: how they are parted.
        schedule: how they are trained.
    """

    name: str
    model: str
    namespace: str
    device: str
    small_base: bool = False
    facts: DataFacts | None = None
    split: ProposedSplit | None = None
    schedule: Schedule | None = None

    def fitting(self, facts: DataFacts, split: ProposedSplit) -> SpecText:
        """The same for these data."""
        from kolm_cli.dataset.proposal import schedule

        plan = schedule(split.train_rows, small_base=self.small_base)
        return replace(self, facts=facts, split=split, schedule=plan)

    def reasons(self) -> list[str]:
        """Why the data's spec says what it says, for the person who asked for it."""
        if self.facts is None or self.split is None or self.schedule is None:
            return []
        facts, split, plan = self.facts, self.split, self.schedule
        about = "" if split.counted else "about "
        return [
            f"{facts.rows:,} rows, {facts.images:,} images: {about}{split.train_rows:,} train,"
            f" {about}{split.eval_rows:,} are held out",
            f"metric {facts.metric}: {_METRICS[facts.metric]}",
            f"{plan.epochs} epochs make {plan.steps:,} optimizer steps",
        ]

    def proposed(self) -> dict[str, Any] | None:
        """The same for a script; None when no data were named."""
        if self.facts is None or self.split is None or self.schedule is None:
            return None
        return {
            **vars(self.facts),
            **{f"split_{name}": value for name, value in vars(self.split).items()},
            **vars(self.schedule),
            "metric": self.facts.metric,
            "device": self.device,
        }


def spec_text(known: SpecText) -> str:
    """The template filled in, its comments under each other."""
    lines = (line.partition("\t") for line in _TEMPLATE.format(**_values(known)).splitlines())
    return "".join(
        f"{code:<32}{comment}\n" if tab and len(code) < 32 else f"{code}{tab and '  '}{comment}\n"
        for code, tab, comment in lines
    )


def _values(known: SpecText) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": _yaml(known.name),
        "plain_name": known.name,
        "model": _yaml(known.model),
        "train": f"capture:{known.namespace}@train",
        "about_train": "captured pairs, or a .jsonl .json .parquet .csv .tar or a folder",
        "eval": f"capture:{known.namespace}@eval",
        "about_eval": "held out: a tenth of the pairs, of images that no training pair shows",
        "max_images": "# max_images_per_example: 4",
        "images": "# images: {max_pixels: 1000000}\t# larger pictures take more tokens",
        "rate": "1.0e-4",
        "about_rate": "the adapter's; `kolm init --data` proposes one for your data",
        "projector_rate": "2.0e-5",
        "epochs": 1,
        "about_epochs": "few rows need more: some hundred optimizer steps learn a narrow task",
        "batch": 1,
        "accumulation": 8,
        "bf16": "" if known.device == "cuda" else "  bf16: false\t# a CPU is slow in bfloat16\n",
        "device": known.device,
        "about_device": "cuda | cpu; as found on this machine",
        "metric": "relaxed_accuracy",
        "about_metric": "or another of docs/reference/metrics.md",
        "max_new_tokens": 64,
    }
    if known.facts is None or known.split is None or known.schedule is None:
        return values
    facts, split, plan = known.facts, known.split, known.schedule
    base = "a small base needs high rates" if known.small_base else "for a base of 1B or more"
    few = "; few rows need many epochs" if plan.epochs > 3 else ""
    about = "" if split.counted else "about "
    an_epoch = plan.steps // plan.epochs
    return values | {
        "train": f"capture:{known.namespace}@{split.train}",
        "about_train": f"{about}{split.train_rows:,} rows",
        "eval": f"capture:{known.namespace}@{split.eval}",
        "about_eval": f"{about}{split.eval_rows:,} rows, of images that no training row shows",
        "max_images": f"max_images_per_example: {max(1, facts.most_images)}\t# the most in a row",
        "images": _images(known.model, max(1, facts.most_images)),
        "rate": plan.learning_rate,
        "about_rate": f"the adapter's; {base}",
        "projector_rate": plan.projector_learning_rate,
        "epochs": plan.epochs,
        "about_epochs": f"of {an_epoch:,} optimizer steps each: {plan.steps:,} in all{few}",
        "batch": plan.batch,
        "accumulation": plan.accumulation,
        "metric": facts.metric,
        "about_metric": _METRICS[facts.metric],
        "max_new_tokens": facts.max_new_tokens,
    }


# Of the 2,048 tokens of a row, what questions, answers and the template may take.
_TEXT_TOKENS = 448


def _images(model: str, most_images: int) -> str:
    """How large pictures can be shown within the budget of tokens, where the base is known."""
    from kolm_cli.families.catalog import by_id

    family = by_id(model)
    sizing = family.image_sizing if family else None
    if sizing is not None and sizing.token_pixels:
        most = (2048 - _TEXT_TOKENS) // most_images * sizing.token_pixels
        return f"images: {{max_pixels: {most}}}\t# what fits into max_seq_length beside the text"
    if sizing is None or "max_pixels" in sizing.takes:
        return "# images: {max_pixels: 1000000}\t# the larger pictures are shown, the more tokens"
    return "# images: {longest_edge: 1000}\t# the larger pictures are shown, the more tokens"


def _yaml(text: str) -> str:
    """`text` as YAML reads it back: bare where that is the same, else in double quotes."""
    from kolm_cli.core.yaml_positions import parse

    try:
        # A name such as 1e5, true or 2024 is something else to YAML without quotes.
        same = parse(f"bare: {text}".encode(), "").value == {"bare": text}
    except InputError:
        same = False
    return text if same else json.dumps(text, ensure_ascii=False)
