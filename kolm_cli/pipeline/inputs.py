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
from kolm_cli.core.file_digests import FileMemo
from kolm_cli.core.processors import available_processors
from kolm_cli.core.together import Together
from kolm_cli.core.versions import installed_versions
from kolm_cli.families.resolve import Base, resolve_base
from kolm_cli.pipeline.data import Data
from kolm_cli.pipeline.earlier import find_earlier
from kolm_cli.pipeline.named_things import look_at
from kolm_cli.pipeline.parent import Parent, find_parent
from kolm_cli.scoring.metrics.catalog import names as metric_names
from kolm_cli.spec.digest_forms import evaluation_form, stored_form, training_form
from kolm_cli.spec.load import LoadedSpec, SpecError, load_spec
from kolm_cli.spec.model import Spec
from kolm_cli.spec.sources import AdapterSource

# Raised by hand when a change of kolm's own changes results: the version is for releases.
RESULTS_VERSION = 1


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
        InputError: all problems of the spec, of the base, of the data and of the bundles that are
            named, as far as they can be known, at once.
        LackingError: the base is not on this machine.
    """
    together = Together()
    try:
        loaded = _with_device(load_spec(path, metrics=metric_names(), settings=settings), device)
    except SpecError as error:
        look_at(error, together)
        raise
    spec = loaded.spec
    base = together.run(
        resolve_base,
        str(loaded.base_folder) if loaded.base_folder else spec.base.model,
        spec.base.revision,
        trust_remote_code=spec.base.trust_remote_code,
    )
    train = together.run(Data, loaded.train_source, spec.data)
    pack = together.run(Data, loaded.eval_source, spec.data)
    where = f"{loaded.position('base.adapter')}: base.adapter"
    parent = together.run(
        find_parent, loaded.adapter if adapter is None else AdapterSource(adapter), where
    )
    together.run(find_earlier, loaded)
    if together:
        for side in (train, pack):
            if side is not None:
                together.run(side.check)
    together.finish()
    if base is None or train is None or pack is None:
        raise AssertionError("what failed was raised")
    with FileMemo() as memo:
        files = base.file_digests(memo)
        weights = base.weights(memo)
    threads = threads_of(spec)
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
    # Rows of the pack that are asked while training are a part of it.
    asked = {} if spec.evaluate.during is None else {"pack": pack.digest}
    training = digests.sha256_json({**common, **asked, "spec": form, "data": train.digest})
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
