"""One base and what several adapters make of it: whoever is asked has its weights put in place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from kolm_cli.core.errors import Problem, VerificationError
from kolm_cli.trainer.merged import Trained


class Shelf:
    """A base whose parameters are exchanged, so that it answers as one adapter at a time.

    The merged weights are those that an export has. The parameters that an adapter changes are
    held twice, however many adapters there are.

    Args:
        model: the base.
        dtype: the type that it was loaded in.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        self._model: Any = model.requires_grad_(False)
        self._dtype = dtype
        self._parameters = dict(model.named_parameters())
        self._base: dict[str, torch.Tensor] = {}
        self._adapters: dict[str, Trained] = {"": Trained({}, {})}
        self._shown = ""
        self._lock = threading.Lock()

    def add(self, name: str, trained: Trained) -> None:
        """Take in an adapter under a name that is not empty.

        Raises:
            VerificationError: something that was trained has no place in the base.
        """
        homeless = sorted(trained.names() - self._parameters.keys())
        if homeless:
            raise VerificationError(
                *(
                    Problem(f"the base has no {each}", name, "serve bundles of one base")
                    for each in homeless[:8]
                )
            )
        self._adapters[name] = trained

    @contextmanager
    def showing(self, name: str) -> Iterator[Any]:
        """The model as this adapter, for nobody else as long as the block lasts.

        Args:
            name: of an adapter; empty for the base itself.
        """
        with self._lock:
            if name != self._shown:
                self._take_off()
                try:
                    self._put_on(name)
                except BaseException:
                    self._take_off()
                    raise
            yield self._model

    def _take_off(self) -> None:
        for name, tensor in self._base.items():
            self._parameters[name].data = tensor
        self._base.clear()
        self._shown = ""

    def _put_on(self, name: str) -> None:
        trained = self._adapters[name]
        for parameter in sorted(trained.names()):
            target = self._parameters[parameter]
            merged = trained.applied_to(parameter, target, self._dtype)
            # Noted first: after a failure, everything that was exchanged goes back.
            self._base[parameter] = target.data
            target.data = merged.to(target.device)
        self._shown = name

    def wait(self, seconds: float) -> None:
        """Let an answer that is under way come to its end, for so long."""
        if self._lock.acquire(timeout=seconds):
            self._lock.release()
