"""`kolm compile`: read the spec, check the data, train, score, write the bundle, remember it.

What was compiled before is found instead, by the digests of the same inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from kolm_cli.bundle.signing.keys import signer_for_compile
from kolm_cli.core import digests
from kolm_cli.core.files import expanded, require_writable
from kolm_cli.core.progress import Progress
from kolm_cli.pipeline import known_inputs, result_cache, trackers
from kolm_cli.pipeline.bundling import write_bundle
from kolm_cli.pipeline.earlier import find_earlier
from kolm_cli.pipeline.inputs import Inputs, gather
from kolm_cli.pipeline.plan_first import plan_first
from kolm_cli.pipeline.preflight import Preflight, preflight, require_device
from kolm_cli.pipeline.regression import check_earlier
from kolm_cli.pipeline.run_results import read_results
from kolm_cli.pipeline.train import discard_trained, finished_run, measure_again, train
from kolm_cli.run.lock import one_at_a_time


@dataclass(frozen=True)
class Compiled:
    """The result of a compile.

    Attributes:
        bundle: where the bundle is.
        report: what `--json` prints.
    """

    bundle: Path
    report: dict[str, Any]

    @property
    def gate_passed(self) -> bool:
        """Whether the gate was met."""
        return bool(self.report["gate"]["passed"])


def compile_spec(
    spec: Path,
    *,
    out: Path | None = None,
    force: bool = False,
    device: Literal["cpu", "cuda"] | None = None,
    adapter: str | None = None,
    settings: Sequence[str] = (),
    plan: bool = True,
    progress: Progress,
) -> Compiled:
    """Compile a spec into a bundle.

    Args:
        spec: the spec file.
        out: where the bundle goes; what the spec says when None.
        force: train even when the same inputs were compiled before.
        device: replaces the spec's `launch.device`.
        adapter: what training starts from, instead of the spec's `base.adapter`: the CID of a
            stored bundle, or an empty text for the base.
        settings: `key=value` for each option that is another than in the file.
        plan: on a GPU, count the largest step first and refuse what cannot fit.
        progress: told of every stage.

    Raises:
        InputError: the spec, the base or the data is wrong.
        LackingError: the environment lacks something.
        InterruptedRunError: a signal arrived; the same compile resumes later.
    """
    started = datetime.now(UTC)
    progress.stage("read spec")
    inputs = gather(spec, device=device, adapter=adapter, settings=settings)
    target = expanded(out or inputs.loaded.bundle_path).absolute()
    require_writable(target)
    signer = signer_for_compile()
    # The signature is part of what is returned: another key asks for another bundle.
    key = digests.sha256_json([inputs.keys.result, signer.key_id])
    with one_at_a_time(inputs.keys.training, progress):
        against = find_earlier(inputs.loaded)
        known = None if force else result_cache.find(key, signer.key_id, target, against)
        if known is not None:
            return _compiled(target, known.path, known.report, cached=True)
        check_earlier(against, inputs, progress)
        run = finished_run(inputs)
        if force or run is None:
            require_device(inputs)
            checked = preflight(inputs, progress)
            planned = _planned(inputs, checked, progress) if plan else None
            if force:
                discard_trained(inputs)
            run = train(inputs, checked, progress, planned, started=started)
        progress.stage("bundle")
        results = read_results(inputs, run)
        place = partial(result_cache.place_of, target)
        bundled = write_bundle(
            inputs,
            results,
            signer,
            against,
            partial(measure_again, inputs, run, progress),
            started=started,
            place=place,
            progress=progress,
        )
        known_inputs.remember(inputs, results, bundled.report["cid"])
        trackers.tell(inputs, run, bundled, progress)
        result_cache.keep(key, inputs.spec.name, bundled.path, bundled.report, progress)
    return _compiled(target, bundled.path, bundled.report, cached=False)


def _planned(inputs: Inputs, checked: Preflight, progress: Progress) -> dict[str, Any] | None:
    """What was planned, on a GPU."""
    if inputs.spec.launch.device != "cuda":
        return None
    from kolm_cli.plan.card_here import card_here

    return plan_first(inputs, checked, card_here(), progress)


def _compiled(target: Path, bundle: Path, report: dict[str, Any], *, cached: bool) -> Compiled:
    told = {**report, "bundle": str(bundle), "cached": cached}
    if bundle != target:
        # What passed before stays, for whoever serves it.
        told["unchanged"] = str(target) if target.exists() else None
    return Compiled(bundle, told)
