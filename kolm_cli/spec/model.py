"""The spec as a frozen model. The only place for defaults, ranges and rules between fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from kolm_cli.core.names import RULE, is_name
from kolm_cli.formats.columns import wrong_in
from kolm_cli.spec.during import DuringSection
from kolm_cli.spec.section import Conflict, Section, custom_error
from kolm_cli.spec.train import Count, TrainSection

__all__ = [
    "BaseSection",
    "BundleSection",
    "DataSection",
    "EvaluateSection",
    "GateSection",
    "LaunchSection",
    "Spec",
    "TrainSection",
    "is_name",
]


def _name(text: str) -> str:
    if not is_name(text):
        raise custom_error(
            f"{text!r:.70} cannot be a name",
            f"write {RULE}",
        )
    return text


def _text(text: str) -> str:
    if not text.strip():
        raise custom_error("is empty", "write a value")
    if not text.isprintable():
        raise custom_error("holds a control character", "write plain text")
    return text


Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, AfterValidator(_text)]
Share = Annotated[float, Field(ge=0, le=1)]


class BaseSection(Section):
    """Which model is adapted: a hub id, or a folder relative to the spec file.

    `adapter` names an earlier bundle whose weights the training starts from.
    """

    younger: ClassVar[frozenset[str]] = frozenset({"adapter"})

    model: Text
    revision: Text = "main"
    trust_remote_code: bool = False
    adapter: Text | None = None


class ImagesSection(Section):
    """How large pictures are shown, in pixels; what is not written is the base's own setting."""

    younger: ClassVar[frozenset[str]] = frozenset({"resize"})

    min_pixels: Count | None = None
    max_pixels: Count | None = None
    longest_edge: Count | None = None
    resize: Literal["processor", "fit"] = "processor"


def _source(value: Any) -> Any:
    """One of the forms of `sources`, or a mapping of `source` and columns."""
    if isinstance(value, str):
        return _text(value)
    if not isinstance(value, dict) or not isinstance(value.get("source"), str):
        raise custom_error(
            f"{value!r:.60} is not a source of rows",
            "write a source, or a mapping of source and columns",
        )
    _text(value["source"])
    # Without columns, a mapping says no more than the source.
    return value if len(value) > 1 else value["source"]


Rows = Annotated[Any, AfterValidator(_source)]


class DataSection(Section):
    """What it learns from and what it is scored on; the forms are in `sources`.

    `confine` refuses images of files' rows outside of their folder.
    """

    younger: ClassVar[frozenset[str]] = frozenset({"confine"})

    train: Rows
    eval: Rows
    max_images_per_example: Count = 4
    review: Literal["accepted", "all"] = "all"
    truncation: Literal["prompt_start", "prompt_end"] = "prompt_start"
    confine: bool = False
    images: ImagesSection = ImagesSection()

    def conflicts(self) -> Iterator[Conflict]:
        """Columns that are named for what rows do not have."""
        for side in ("train", "eval"):
            value = getattr(self, side)
            if isinstance(value, dict):
                columns = {name: column for name, column in value.items() if name != "source"}
                for wrong in wrong_in(columns):
                    yield Conflict(f"{side}.{wrong.field}", side, wrong.what, wrong.fix)


class LaunchSection(Section):
    """What `accelerate launch` is told: the processes of this machine, one a GPU."""

    device: Literal["cuda", "cpu"] = "cuda"
    num_processes: Annotated[int, Field(ge=1, le=1 << 12)] = 1
    main_process_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    threads: Annotated[int, Field(ge=1, le=1 << 12)] | None = None

    def idle(self) -> Iterator[Conflict]:
        """A meeting point of processes that have none to meet."""
        if self.num_processes == 1:
            yield Conflict(
                "main_process_port",
                "num_processes",
                "has no effect with a single process",
                "remove it, or write num_processes",
            )


def _reference(text: str) -> str:
    """A bundle of the registry: a path would be true of one machine only."""
    if "/" in text or text.endswith(".kolm"):
        raise custom_error(f"{text!r:.70} is no bundle of the registry", "write NAME:TAG or a CID")
    return text


class NoRegressionSection(Section):
    """That the result is no worse than an earlier bundle by more than `margin`."""

    against: Annotated[Text, AfterValidator(_reference)]
    margin: Share = 0.01
    confidence: Annotated[float, Field(ge=0.5, le=0.999)] = 0.95


class GateSection(Section):
    """What a result must reach to pass; a gate that is not written is not asked."""

    younger: ClassVar[frozenset[str]] = frozenset(
        {"axes", "groups", "worst_group", "no_regression"}
    )

    k: Share | None = None
    accuracy: Share | None = None
    axes: Annotated[dict[Literal["A", "S", "L", "C", "V"], Share], Field(min_length=1)] | None = (
        None
    )
    groups: Annotated[dict[Text, Share], Field(min_length=1)] | None = None
    worst_group: Share | None = None
    no_regression: NoRegressionSection | None = None


def listed(value: Any) -> Any:
    """Several metrics, each with its weight, are one metric: `weighted`."""
    return {"name": "weighted", "metrics": value} if isinstance(value, list) else value


def is_metric(value: Any) -> bool:
    """Whether this is a mapping with a name, or a list of some."""
    entries = value if isinstance(value, list) else [value]
    named = (isinstance(e, dict) and isinstance(e.get("name"), str) for e in entries)
    return bool(entries) and all(named)


def _metric(value: Any) -> Any:
    """A name, or a mapping of `name` and options; which there are, the metric itself says."""
    if isinstance(value, str):
        return _text(value)
    if not is_metric(value):
        raise custom_error(
            f"{value!r:.60} is not a metric",
            "write its name, a mapping of name and options, or a list of such mappings",
        )
    entries = value if isinstance(value, list) else [value]
    for entry in entries:
        _text(entry["name"])
    if isinstance(value, list):
        return listed(value)
    # Without options, a mapping says no more than the name.
    return value if len(value) > 1 else value["name"]


class EvaluateSection(Section):
    """How the adapter is scored. `usd_per_hour` is the price of the machine that answers."""

    younger: ClassVar[frozenset[str]] = frozenset({"during"})

    metric: Annotated[Any, AfterValidator(_metric)]
    max_new_tokens: Annotated[int, Field(ge=1, le=1 << 20)] = 64
    batch_size: Annotated[int, Field(ge=1, le=1 << 16)] = 8
    usd_per_hour: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    include: Literal["answers", "digests"] = "answers"
    gate: GateSection = GateSection()
    during: DuringSection | None = None

    @property
    def metric_name(self) -> str:
        """The metric's name."""
        name = self.metric if isinstance(self.metric, str) else self.metric["name"]
        return str(name)

    @property
    def metric_options(self) -> dict[str, Any]:
        """The metric's options, as they are written."""
        options = {} if isinstance(self.metric, str) else dict(self.metric)
        options.pop("name", None)
        return options

    def conflicts(self) -> Iterator[Conflict]:
        """A gate on a K-score, or on an axis of it, that would be undefined."""
        if self.usd_per_hour is None and "C" in (self.gate.axes or {}):
            yield Conflict(
                "gate.axes",
                "usd_per_hour",
                "cannot be judged: without evaluate.usd_per_hour the axis C is undefined",
                "write usd_per_hour, or leave C out",
            )
        if self.gate.k is not None and self.usd_per_hour is None:
            yield Conflict(
                "gate.k",
                "usd_per_hour",
                "cannot be judged: without evaluate.usd_per_hour the K-score is undefined",
                "write usd_per_hour, or gate on accuracy only",
            )


class BundleSection(Section):
    """Where the bundle is written: `{out}/{name}.kolm`, relative to the working directory."""

    out: Text = "dist/"


class Spec(Section):
    """A whole spec, checked. Read one from a file with `kolm_cli.spec.load.load_spec`."""

    kolm: Literal[1]
    name: Name
    base: BaseSection
    data: DataSection
    train: TrainSection = TrainSection()
    launch: LaunchSection = LaunchSection()
    evaluate: EvaluateSection
    bundle: BundleSection = BundleSection()
