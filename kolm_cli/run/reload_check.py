"""The saved adapter, loaded into a fresh base, must do what the trained model did."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from kolm_cli.core.errors import Problem, VerificationError

# The end of the prompt: what an answer begins from.
POSITIONS = 64
FILE = "probe.safetensors"
# Another kind of GPU rounds differently; a missing projector changes the logits altogether.
OTHER_HARDWARE = 0.1


# What CPU kernels want, and what torch gives to every tensor that it makes itself.
ALIGNMENT = 64


@contextlib.contextmanager
def aligned(tensors: Iterable[torch.Tensor]) -> Iterator[None]:
    """Hold tensors where cache lines begin, for as long as the block lasts.

    A product with a single row (one image token) takes the weights as they lie, and sums in an
    order that depends on where they begin; with more rows they are copied first. The trained and
    the reloaded model came by theirs in different ways, a file and an optimizer. Aligned, the same
    values give the same bits.
    """
    with contextlib.ExitStack() as moved:
        for tensor in tensors:
            if tensor.data_ptr() % ALIGNMENT:
                moved.callback(setattr, tensor, "data", tensor.data)
                tensor.data = tensor.data.clone()
        yield


@dataclass(frozen=True)
class Probe:
    """The logits of one row's prompt, and what computed them.

    Attributes:
        logits: fp32 [positions, vocabulary], on the CPU.
        hardware: the device's name.
        exact: whether the same model gives the same bits there: fp32 on a CPU.
    """

    logits: torch.Tensor
    hardware: str
    exact: bool

    def save(self, folder: Path) -> None:
        """Write the probe of the trained model."""
        tensors = {"logits": self.logits.contiguous()}
        save_file(tensors, folder / FILE, metadata={"hardware": self.hardware})

    def compare(self, folder: Path) -> str:
        """Hold the reloaded model against the trained one.

        On the hardware that trained, fp32 on a CPU must agree bit for bit and anything else to
        2e-2. On other hardware the logits must be the same up to a tenth of their size, which
        rounding stays far below.

        Returns:
            what to tell the user; empty when there is nothing.

        Raises:
            VerificationError: they differ. The adapter stays where it is.
        """
        with safe_open(folder / FILE, framework="pt") as stored:
            trained: torch.Tensor = stored.get_tensor("logits")
            where = (stored.metadata() or {}).get("hardware", "")
        if trained.shape != self.logits.shape:
            raise self._differs(folder, f"shape {list(trained.shape)}, {list(self.logits.shape)}")
        gap = (trained - self.logits).abs()
        size = float((trained - self.logits).norm() / trained.norm().clamp(min=1e-12))
        said = f"by at most {float(gap.max()):.3g}, {size:.2%} of their size"
        if where != self.hardware:
            if not size <= OTHER_HARDWARE:
                raise self._differs(folder, f"{said}; trained on {where}, here {self.hardware}")
            return f"trained on {where}, answering on {self.hardware}: the logits differ {said}"
        same = (
            torch.equal(trained, self.logits)
            if self.exact
            else torch.allclose(trained, self.logits, rtol=2e-2, atol=2e-2)
        )
        if not same:
            raise self._differs(folder, said)
        return ""

    def _differs(self, folder: Path, how: str) -> VerificationError:
        return VerificationError(
            Problem(
                "the saved adapter, loaded into a fresh base, does not give the trained model's"
                f" logits: they differ {how}",
                where=str(folder / "adapter"),
                fix="the adapter was kept; train again with --force",
            )
        )
