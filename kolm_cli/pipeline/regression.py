"""The earlier bundle that a result must not be worse than: checked, and asked again.

Both answer the same rows. What the earlier one answered to this very pack is in it; to another pack
it answers anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.predictions import read_predictions
from kolm_cli.core.progress import Progress
from kolm_cli.pipeline.bundle_use import Demands, answerer_for, find_base, unpacked
from kolm_cli.pipeline.earlier import Earlier
from kolm_cli.pipeline.unpacked import Unpacked
from kolm_cli.records.row import Row, rows_digest
from kolm_cli.scoring.comparison import Comparison
from kolm_cli.scoring.gate import NoRegression
from kolm_cli.scoring.metrics.base import ChosenMetric
from kolm_cli.scoring.score import Predictions, RowsScored, row_scores

if TYPE_CHECKING:
    from kolm_cli.pipeline.inputs import Inputs


def check_earlier(earlier: Earlier | None, inputs: Inputs, progress: Progress) -> None:
    """Look, before anything is trained, whether the comparison can be made.

    Raises:
        LackingError: it has to answer, and its base is not here.
        VerificationError: it is not intact, or its signer is not trusted.
    """
    if earlier is None:
        return
    if earlier.cid is None:
        progress.note(f"there is no {earlier.against} yet: no_regression compares with nothing")
        return
    progress.stage("check the bundle to compare with")
    with earlier.file() as path, unpacked(path, _demands(earlier), progress) as bundle:
        if _stored(bundle, inputs.pack.digest) is None:
            find_base(bundle, _base(bundle, inputs))


def compared(
    earlier: Earlier | None,
    asked: NoRegression | None,
    inputs: Inputs,
    pack: Sequence[Row],
    rows: RowsScored,
    metric: ChosenMetric,
    progress: Progress,
) -> dict[str, Any] | None:
    """The comparison with the earlier bundle, as the receipt has it; None when none is asked for.

    Raises:
        LackingError: it has to answer, and its base is not here.
        VerificationError: it is not intact, or its signer is not trusted.
    """
    if earlier is None or asked is None:
        return None
    named = {"against": earlier.against, "cid": earlier.cid}
    if earlier.cid is None:
        return named
    said = _answers(earlier, inputs, pack, progress)
    found = Comparison(rows.scores, row_scores(metric, pack, said), rows.weights)
    return {**named, **found.as_json(), "at_least": found.at_least(asked.confidence)}


def _answers(
    earlier: Earlier, inputs: Inputs, pack: Sequence[Row], progress: Progress
) -> Predictions:
    with earlier.file() as path:
        with unpacked(path, _demands(earlier), progress) as bundle:
            stored = _stored(bundle, rows_digest(list(pack)))
            base = _base(bundle, inputs)
        if stored is not None:
            return stored
        device = inputs.spec.launch.device
        with answerer_for(
            path, base=base, device=device, progress=progress, demands=_demands(earlier)
        ) as (files, answerer):
            progress.stage(f"evaluate {earlier.against}", len(pack), "rows")
            batch_size = files.spec["evaluate"]["batch_size"]
            said = answerer.answer_all(pack, batch_size=batch_size, progress=progress)
    return {row.id: answer.text for row, answer in zip(pack, said, strict=True)}


def _stored(bundle: Unpacked, pack_digest: str) -> Predictions | None:
    """What it answered to this very pack; None when it was asked another, or does not say."""
    path = bundle.folder / layout.PREDICTIONS
    if bundle.spec["data"]["eval"] != f"sha256:{pack_digest}" or not path.is_file():
        return None
    return read_predictions(path.read_bytes(), layout.PREDICTIONS)


def _base(bundle: Unpacked, inputs: Inputs) -> Path | None:
    """Where its base is, if it is the base of this compile too."""
    same = bundle.manifest["base"]["weights"] == inputs.weights
    return inputs.base.folder if same else None


def _demands(earlier: Earlier) -> Demands:
    return Demands(cid=earlier.cid)
