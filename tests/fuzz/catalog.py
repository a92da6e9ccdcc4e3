"""The targets of `make fuzz`."""

from __future__ import annotations

from tests.fuzz import answers, inputs, kept, models
from tests.fuzz.target import Target

TARGETS: tuple[Target, ...] = (
    *inputs.TARGETS,
    *models.TARGETS,
    *answers.TARGETS,
    *kept.TARGETS,
)
