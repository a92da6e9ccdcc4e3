"""The evaluation as a bundle holds it: settings, pack and predictions that fit together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kolm_cli.bundle.contents import BundleContents
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.comparing import too_much
from kolm_cli.bundle.format.evaluation import EvaluationSettings, read_settings
from kolm_cli.bundle.format.pack import PackRow, read_pack
from kolm_cli.bundle.format.predictions import read_predictions
from kolm_cli.core.errors import InputError, VerificationError
from kolm_cli.scoring.score import Measurements, ScoreReport, row_scores, score

_ANSWERS = (layout.PACK, layout.PREDICTIONS, layout.BASE_PREDICTIONS)


@dataclass(frozen=True)
class StoredEvaluation:
    """Everything under `eval/`.

    Attributes:
        settings: how it was scored.
        pack: the rows that were asked.
        predictions: row id to the adapter's answer; None when only digests were included.
        base_predictions: row id to the base's answer; None likewise.
    """

    settings: EvaluationSettings
    pack: Sequence[PackRow]
    predictions: Mapping[str, str | None] | None
    base_predictions: Mapping[str, str | None] | None

    @property
    def images(self) -> frozenset[str]:
        """The distinct images of the pack."""
        return frozenset(image for row in self.pack for image in row.images)

    def score(self, measured: Measurements) -> ScoreReport | None:
        """The score that the stored predictions give; None when there are none.

        Raises:
            VerificationError: the metric is unknown, a row has no accepted answer, or a number is
                beyond what can have been measured.
        """
        if self.predictions is None:
            return None
        with self._refused():
            settings = self.settings.scoring()
            return score(self.pack, self.predictions, measured, settings, self.base_predictions)

    def row_scores(self) -> dict[str, tuple[str | None, float]] | None:
        """Row id to the adapter's answer and what the metric gives it; None without answers.

        Raises:
            VerificationError: the metric is unknown, or a row has no accepted answer.
        """
        if self.predictions is None:
            return None
        with self._refused():
            scores = row_scores(self.settings.scoring().metric, self.pack, self.predictions)
        return {
            name: (said, value)
            for (name, said), value in zip(self.predictions.items(), scores, strict=True)
        }

    @contextlib.contextmanager
    def _refused(self) -> Iterator[None]:
        """What cannot be scored is the bundle's fault, whatever arithmetic it breaks."""
        try:
            yield
        except InputError as error:
            raise VerificationError(*error.problems) from error
        except (ValueError, ArithmeticError) as error:
            raise VerificationError(f"{self.settings.metric}: {error}") from error


def read_evaluation(contents: BundleContents) -> StoredEvaluation:
    """Read `eval/` strictly.

    Raises:
        VerificationError: something in it is missing, malformed or does not fit together.
    """
    settings = read_settings(contents.content(layout.EVALUATION))
    data = contents.content(layout.PACK)
    pack = read_pack(data, settings.include, settings.row_keys)
    if len(pack) != settings.rows:
        raise VerificationError(f"{layout.PACK} has {len(pack)} rows, not {settings.rows}")
    predictions = [
        _predictions(contents, path, settings, pack)
        for path in (layout.PREDICTIONS, layout.BASE_PREDICTIONS)
    ]
    sizes = (contents.files[path].entry.size for path in _ANSWERS if path in contents.files)
    if problem := too_much(pack, filter(None, predictions), sum(sizes)):
        raise VerificationError(problem)
    return StoredEvaluation(settings, pack, *predictions)


def _predictions(
    contents: BundleContents, path: str, settings: EvaluationSettings, pack: Sequence[PackRow]
) -> Mapping[str, str | None] | None:
    if settings.include == "digests":
        if path in contents.files:
            raise VerificationError(f"{path} does not belong to an evaluation with digests only")
        return None
    said = read_predictions(contents.content(path), path)
    if list(said) != [row.id for row in pack]:
        raise VerificationError(f"{path} does not have the pack's rows in the pack's order")
    return said
