"""From bundles to what the endpoint serves: one base, loaded once, and an adapter for each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from kolm_cli.answering.answerer import Answerer
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.progress import Progress
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.families.resolve import Base
from kolm_cli.pipeline.bundle_use import Demands, encoder_of, find_base, unpacked
from kolm_cli.pipeline.unpacked import Unpacked
from kolm_cli.serving.chat import Served
from kolm_cli.serving.shelf import Shelf
from kolm_cli.trainer.base_model import load_base
from kolm_cli.trainer.devices import pick_device, settle_numerics
from kolm_cli.trainer.merged import Trained


@dataclass(frozen=True)
class Loaded:
    """What is ready to answer.

    Attributes:
        shelf: the base and its adapters.
        names: what clients see: each bundle's, and last the base's.
        served: by every name that may be asked: those, and the CIDs.
    """

    shelf: Shelf
    names: Sequence[str]
    served: Mapping[str, Served]


@contextlib.contextmanager
def loaded(
    bundles: Sequence[Path],
    *,
    base: Path | None,
    device: str | None,
    demands: Demands,
    progress: Progress,
) -> Iterator[Loaded]:
    """Verify, unpack and load bundles of one base.

    Raises:
        InputError: they are not of one base, or ask for it in different ways.
        VerificationError: one of them is not intact, or not trusted.
    """
    progress.stage("unpack and check")
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(unpacked(path, demands, progress)) for path in bundles]
        _check_alike(bundles, files)
        found = find_base(files[0], base)
        # First of all: templates are rendered in copies of this process.
        encoders = [stack.enter_context(encoder_of(each, found, progress)) for each in files]
        progress.stage("load base and adapters")
        yield _load(files, encoders, found, device)


def _check_alike(bundles: Sequence[Path], files: Sequence[Unpacked]) -> None:
    problems = []
    first = files[0]
    for path, other in zip(bundles[1:], files[1:], strict=True):
        if other.cid == first.cid:
            problems.append(Problem("is the same bundle once more", str(path), "name it once"))
        elif other.manifest["base"]["weights"] != first.manifest["base"]["weights"]:
            problems.append(
                Problem(f"is not of the base of {bundles[0]}", str(path), "serve it by itself")
            )
        for key in ("bf16", "attention"):
            if other.spec["train"].get(key) != first.spec["train"].get(key):
                problems.append(
                    Problem(
                        f"has another train.{key} than {bundles[0]}",
                        where=str(path),
                        fix="serve it by itself",
                    )
                )
    if problems:
        raise InputError(*problems)


def _load(
    files: Sequence[Unpacked], encoders: Sequence[Encoder], base: Base, device: str | None
) -> Loaded:
    launch, train = files[0].spec["launch"], files[0].spec["train"]
    device = pick_device(
        device or launch["device"],
        where="--device",
        fix="use --device cpu, or serve where there is a GPU",
    )
    settle_numerics()
    if launch.get("threads"):
        torch.set_num_threads(launch["threads"])
    bf16 = bool(train["bf16"])
    model = load_base(base, bf16=bf16, attention=train["attention"])
    shelf = Shelf(model, torch.bfloat16 if bf16 else torch.float32)
    names = [*_names(files), files[0].manifest["base"]["model"]]
    served: dict[str, Served] = {}
    asked = zip(names, [*files, files[0]], [*encoders, encoders[0]], strict=True)
    for name, each, encoder in asked:
        max_tokens = each.spec["evaluate"]["max_new_tokens"]
        answerer = Answerer(model, encoder, device=device, bf16=bf16, max_new_tokens=max_tokens)
        if name in served:
            continue
        adapter = "" if len(served) == len(files) else each.cid
        served[name] = Served(name, adapter, answerer, max_tokens)
        if adapter:
            shelf.add(adapter, Trained.read(each.folder / "adapter"))
    by_cid = {one.adapter: one for one in served.values() if one.adapter}
    return Loaded(shelf, [*served], {**by_cid, **served})


def _names(files: Sequence[Unpacked]) -> list[str]:
    """Each bundle's own name; with some of its CID where several have the same."""
    names = [each.manifest["name"] for each in files]
    return [
        name if names.count(name) == 1 else f"{name}-{each.cid[-12:]}"
        for name, each in zip(names, files, strict=True)
    ]
