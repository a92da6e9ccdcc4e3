"""Everything that a compile starts from, and the digests that recognize an earlier result.

Three keys, each covering the one before: what decides the trained weights, what decides the
answers to the pack, and what decides the bundle's bytes. Changing a gate or a price changes only
the last, and so retrains nothing. No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kolm_cli.core import digests
from kolm_cli.core.errors import InputError
from kolm_cli.core.file_digests import FileMemo
from kolm_cli.core.processors import available_processors
from kolm_cli.core.versions import installed_versions
from kolm_cli.dataset.sources import SourceRows, read_source, source_digest
from kolm_cli.families.resolve import Base, resolve_base
from kolm_cli.pipeline.parent import Parent, find_parent
from kolm_cli.scoring.metrics.catalog import names as metric_names
from kolm_cli.spec.digest_forms import evaluation_form, stored_form, training_form
from kolm_cli.spec.load import LoadedSpec, load_spec
from kolm_cli.spec.model import DataSection, Spec
from kolm_cli.spec.sources import Source

# Raised by hand when a change of kolm's own changes results: the version is for releases.
RESULTS_VERSION = 1


class Data:
    """One side of the data: named by its digest at once, read when its rows are needed.

    An unchanged source is recognized without reading it; whatever is read is read once.

    Args:
        source: where the rows are.
        section: how they are read.

    Attributes:
        digest: names the rows.
    """

    def __init__(self, source: Source, section: DataSection) -> None:
        self._source, self._accepted_only = source, section.review == "accepted"
        self._confine = "data.confine" if section.confine else ""
        self._rows: SourceRows | None = None
        known = source_digest(source, accepted_only=self._accepted_only, confine=self._confine)
        self.digest: str = known or self._read().digest

    def _read(self) -> SourceRows:
        if self._rows is None:
            self._rows = read_source(
                self._source, accepted_only=self._accepted_only, confine=self._confine
            )
        return self._rows

    def rows(self) -> SourceRows:
        """The rows, and every problem of the source.

        Raises:
            InputError: the source was changed after its digest was looked up.
        """
        rows = self._read()
        if rows.digest != self.digest and not rows.problems:
            raise InputError("the data changed while it was read", hint="run it again")
        return rows


@dataclass(frozen=True)
class Keys:
    """What recognizes an earlier result.

    Attributes:
        training: names the trained weights.
        evaluation: names the answers to the pack.
        result: names the bundle.
    """

    training: str
    evaluation: str
    result: str


@dataclass(frozen=True)
class Inputs:
    """Everything that a compile starts from.

    Attributes:
        loaded: the checked spec.
        base: the base model.
        weights: the base's weight files and their SHA-256.
        train: what is trained on.
        pack: what is evaluated on.
        keys: recognize an earlier result.
        threads: torch's threads in each process.
        parent: the bundle that training starts from; None when it starts from the base.
    """

    loaded: LoadedSpec
    base: Base
    weights: dict[str, str]
    train: Data
    pack: Data
    keys: Keys
    threads: int
    parent: Parent | None = None

    @property
    def spec(self) -> Spec:
        """The spec itself."""
        return self.loaded.spec


def gather(
    path: Path,
    *,
    device: Literal["cpu", "cuda"] | None = None,
    adapter: str | None = None,
    settings: Sequence[str] = (),
) -> Inputs:
    """Load the spec, find the base, name the data.

    Args:
        path: the spec file.
        device: replaces `launch.device`.
        adapter: what training starts from, instead of `base.adapter`: the CID of a stored
            bundle, or nothing (an empty text) for the base; None leaves it to the spec.
        settings: `key=value` for each option that is another than in the file.

    Raises:
        InputError: all problems of the spec, or of the base, or of the data, at once.
        LackingError: the base is not on this machine.
    """
    loaded = _with_device(load_spec(path, metrics=metric_names(), settings=settings), device)
    spec = loaded.spec
    base = resolve_base(
        str(loaded.base_folder) if loaded.base_folder else spec.base.model,
        spec.base.revision,
        trust_remote_code=spec.base.trust_remote_code,
    )
    with FileMemo() as memo:
        files = base.file_digests(memo)
        weights = base.weights(memo)
    train = Data(loaded.train_source, spec.data)
    pack = Data(loaded.eval_source, spec.data)
    threads = threads_of(spec)
    parent = find_parent(loaded, adapter)
    keys = _keys(spec, base, files, train, pack, threads, parent)
    return Inputs(loaded, base, weights, train, pack, keys, threads, parent)


def _with_device(loaded: LoadedSpec, device: Literal["cpu", "cuda"] | None) -> LoadedSpec:
    if device is None:
        return loaded
    launch = loaded.spec.launch.model_copy(update={"device": device})
    return replace(loaded, spec=loaded.spec.model_copy(update={"launch": launch}))


def threads_of(spec: Spec) -> int:
    """Threads a process: what the spec says, or this machine's processors shared out."""
    if spec.launch.threads:
        return spec.launch.threads
    return max(1, available_processors() // spec.launch.num_processes)


def _keys(
    spec: Spec,
    base: Base,
    files: dict[str, str],
    train: Data,
    pack: Data,
    threads: int,
    parent: Parent | None,
) -> Keys:
    common: dict[str, Any] = {
        "results": RESULTS_VERSION,
        "base": {"name": base.name, "revision": base.revision, "files": files},
        "versions": installed_versions(),
        # On a CPU they decide the order of floating-point sums, on a GPU nothing.
        "threads": threads if spec.launch.device == "cpu" else None,
    }
    form = training_form(spec)
    # Where the base is says nothing about it; its files' digests do.
    form["base"] = {"trust_remote_code": spec.base.trust_remote_code}
    if parent is not None:
        form["base"]["adapter"] = parent.cid
    training = digests.sha256_json({**common, "spec": form, "data": train.digest})
    evaluation = digests.sha256_json(
        {"training": training, "spec": evaluation_form(spec), "data": pack.digest}
    )
    # The bundle holds the spec: an option that decides neither weights nor answers is in its bytes.
    whole = stored_form(spec)
    # These three are digests in it, and were counted.
    del whole["base"]["model"], whole["data"]["train"], whole["data"]["eval"]
    whole["base"].pop("adapter", None)
    result = digests.sha256_json({"evaluation": evaluation, "spec": whole})
    return Keys(training, evaluation, result)
