"""What a tiny base is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pieces:
    """A model class, the configuration to make one from, and the processor beside it."""

    model_class: Any
    config: Any
    processor: Any


# Makes the pieces for a language tower of a width (a multiple of 32) and a number of layers.
Maker = Callable[[int, int], Pieces]
