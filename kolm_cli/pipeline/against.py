"""A bundle's answers against those of another one, or against stored ones: who wins which rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.predictions import read_predictions
from kolm_cli.core.progress import Progress
from kolm_cli.pipeline.bundle_use import Demands, answerer_for, unpacked
from kolm_cli.pipeline.unpacked import Unpacked
from kolm_cli.records.row import Row
from kolm_cli.registry.bundle_file import bundle_file
from kolm_cli.scoring.comparison import Comparison
from kolm_cli.scoring.metrics.base import ChosenMetric
from kolm_cli.scoring.score import Predictions, RowsScored, row_scores

# Ids that are listed of the rows that one side won.
LISTED = 100


def stored_answers(files: Unpacked, path: str = layout.PREDICTIONS) -> Predictions | None:
    """What a bundle says was answered; None when it holds digests alone."""
    stored = files.folder / path
    return read_predictions(stored.read_bytes(), path) if stored.is_file() else None


@dataclass(frozen=True)
class Other:
    """A bundle to compare with, which was verified.

    Attributes:
        name: a file, or a name in the registry.
        cid: its CID.
        pack: names the rows that it was scored on.
        said: what it answered to them; None when it holds digests alone.
        demands: what it must be when it is opened again.
    """

    name: str
    cid: str
    pack: str
    said: Predictions | None
    demands: Demands


def find_other(name: str, demands: Demands | None, progress: Progress) -> Other:
    """A bundle to compare with, before anything is answered.

    Args:
        name: a file, or a name in the registry.
        demands: what it must be, but for the CID.
        progress: told of the stages.

    Raises:
        InputError: there is no such bundle.
        VerificationError: it is not intact, or its signer is not trusted.
    """
    trusted = replace(demands or Demands(), cid=None)
    with bundle_file(name) as path, unpacked(path, trusted, progress) as files:
        pack, said = files.spec["data"]["eval"], stored_answers(files)
        return Other(name, files.cid, pack, said, replace(trusted, cid=files.cid))


@dataclass(frozen=True)
class Against:
    """Adds comparisons to a report.

    Attributes:
        rows: what was asked.
        scored: how the bundle did.
        metric: compares answers.
        report: what `kolm eval --json` prints.
    """

    rows: Sequence[Row]
    scored: RowsScored
    metric: ChosenMetric
    report: dict[str, Any]

    def baseline(self, name: str, said: Predictions, progress: Progress) -> None:
        """Compare with stored answers, on the rows that have one."""
        known = [i for i, row in enumerate(self.rows) if row.id in said]
        if len(known) < len(self.rows):
            progress.note(
                f"{len(known)} of {len(self.rows)} rows have an answer in {name}: both are compared"
                " on these"
            )
        if all(said[self.rows[i].id] == self.rows[i].conversation.response for i in known):
            progress.note(
                f"the answers in {name} are the accepted ones of the pack: they are the yardstick"
            )
        self._add("baseline", name, known, said)

    def bundle(
        self,
        other: Other,
        own_pack: str | None,
        base: Path | None,
        device: str | None,
        progress: Progress,
    ) -> None:
        """Compare with another bundle, which answers the same rows.

        Args:
            other: the bundle.
            own_pack: what names the pack, when it is the first bundle's own: what the other one
                answered to it is taken from it.
            base: where a local base is.
            device: what it answers on.
            progress: told of the stages.
        """
        said = other.said if other.pack == own_pack else None
        if said is None:
            with (
                bundle_file(other.name) as path,
                answerer_for(
                    path, base=base, device=device, progress=progress, demands=other.demands
                ) as (files, answerer),
            ):
                progress.stage(f"evaluate {other.name}", len(self.rows), "rows")
                answers = answerer.answer_all(
                    self.rows,
                    batch_size=files.spec["evaluate"]["batch_size"],
                    progress=progress,
                )
            said = {r.id: a.text for r, a in zip(self.rows, answers, strict=True)}
        self._add("other", other.name, range(len(self.rows)), said, cid=other.cid)

    def _add(
        self, key: str, name: str, places: Sequence[int], said: Predictions, **more: Any
    ) -> None:
        rows = [self.rows[i] for i in places]
        weights = self.scored.weights
        found = Comparison(
            [self.scored.scores[i] for i in places],
            row_scores(self.metric, rows, said),
            None if weights is None else [weights[i] for i in places],
        )
        pairs = list(zip(rows, found.scores, found.others, strict=True))
        self.report["compared"][key] = {"name": name, **more, "rows": len(rows), **found.as_json()}
        self.report[f"{key}_rows"] = {
            "won": [row.id for row, one, other in pairs if one > other][:LISTED],
            "lost": [row.id for row, one, other in pairs if one < other][:LISTED],
        }
