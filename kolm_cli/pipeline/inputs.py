"""The digests that recognise an earlier result, computed without importing torch.

Three keys, each covering the one before: what decides the trained weights, what decides the
answers to the pack, and what decides the bundle's bytes. Changing a gate or a price changes only
the last, and so retrains nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.core import digests
from kolm_cli.core.file_digests import FileMemo
from kolm_cli.core.versions import installed_versions
from kolm_cli.dataset.sources import read_source, source_digest
from kolm_cli.families.resolve import Base, resolve_base
from kolm_cli.scoring.metrics.catalog import names as metric_names
from kolm_cli.spec.digest_forms import evaluation_form, training_form
from kolm_cli.spec.load import LoadedSpec, load_spec
from kolm_cli.spec.model import Spec

# Raised by hand when a change of kolm's own changes results: the version is for releases.
RESULTS_VERSION = 1


@dataclass(frozen=True)
class Inputs:
    """Everything that a compile starts from.

    Attributes:
        loaded: the checked spec.
        base: the base model.
        weights: the base's weight files and their SHA-256.
        training: the key of the trained weights.
        evaluation: the key of the answers to the pack.
        result: the key of the bundle.
        threads: torch's threads in each process.
    """

    loaded: LoadedSpec
    base: Base
    weights: dict[str, str]
    training: str
    evaluation: str
    result: str
    threads: int

    @property
    def spec(self) -> Spec:
        """The spec itself."""
        return self.loaded.spec


def threads_of(spec: Spec) -> int:
    """Threads a process: what the spec says, or this machine's processors shared out."""
    if spec.launch.threads:
        return spec.launch.threads
    here = max(1, spec.launch.num_processes // spec.launch.num_machines)
    return max(1, (os.cpu_count() or 1) // here)


def gather(path: Path) -> Inputs:
    """Load the spec, find the base, digest everything.

    Raises:
        InputError: all problems of the spec, or of the base, or of the data, at once.
        LackingError: the base is not on this machine.
    """
    loaded = load_spec(path, metrics=metric_names())
    spec = loaded.spec
    base = resolve_base(
        str(loaded.base_folder) if loaded.base_folder else spec.base.model,
        spec.base.revision,
        trust_remote_code=spec.base.trust_remote_code,
    )
    with FileMemo() as memo:
        files = base.file_digests(memo)
        weights = base.weights(memo)
    accepted = spec.data.review == "accepted"
    train = (
        source_digest(loaded.train_source, accepted_only=accepted)
        or read_source(loaded.train_source, accepted_only=accepted).digest
    )
    pack = (
        source_digest(loaded.eval_source, accepted_only=accepted)
        or read_source(loaded.eval_source, accepted_only=accepted).digest
    )
    threads = threads_of(spec)
    common: dict[str, Any] = {
        "results": RESULTS_VERSION,
        "base": {"name": base.name, "revision": base.revision, "files": files},
        "versions": installed_versions(),
        "threads": threads,
    }
    form = training_form(spec)
    # Where the base stands says nothing about it; its files' digests do.
    form["base"] = {"trust_remote_code": spec.base.trust_remote_code}
    training = digests.sha256_json({**common, "spec": form, "data": train})
    evaluation = digests.sha256_json(
        {"training": training, "spec": evaluation_form(spec), "data": pack}
    )
    whole = spec.model_dump(mode="json")
    result = digests.sha256_json(
        {"evaluation": evaluation, "evaluate": whole["evaluate"], "name": spec.name}
    )
    return Inputs(loaded, base, weights, training, evaluation, result, threads)
