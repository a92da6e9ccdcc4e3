"""Using a bundle: find its base, merge its adapter, and answer."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kolm_cli.bundle.container.unpack import unpack
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.trust.file import load_policy
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.core.errors import InputError, LackingError, Problem, VerificationError
from kolm_cli.core.file_digests import FileMemo
from kolm_cli.core.home import private_folder
from kolm_cli.core.progress import Progress
from kolm_cli.families.resolve import Base, resolve_base
from kolm_cli.pipeline.bundle_processor import load_processor
from kolm_cli.pipeline.known_inputs import known_base
from kolm_cli.pipeline.unpacked import Unpacked

if TYPE_CHECKING:
    from kolm_cli.answering.answerer import Answerer
    from kolm_cli.encoding.encoder import Encoder


@dataclass(frozen=True)
class Demands:
    """What a bundle must be to be used.

    Attributes:
        trust: whose signatures count; the user's own trust file decides when None.
        allow_untrusted: use what is intact, whoever signed it.
        cid: the CID that it must have; any will do when None.
    """

    trust: TrustPolicy | None = None
    allow_untrusted: bool = False
    cid: str | None = None


@contextlib.contextmanager
def unpacked(bundle: Path, demands: Demands, progress: Progress) -> Iterator[Unpacked]:
    """Verify a bundle and unpack it, in one pass, for as long as the block lasts.

    What is used are the very bytes that were verified: nobody else can write the folder.

    Raises:
        InputError: there is no such file, or the trust file is wrong.
        VerificationError: it is not intact, not the one demanded, or its signer is not trusted.
    """
    policy = load_policy() if demands.trust is None else demands.trust
    with tempfile.TemporaryDirectory(prefix="kolm-", dir=private_folder("tmp")) as name:
        folder = Path(name) / "bundle"
        report = unpack(
            bundle,
            folder,
            trust=policy,
            allow_untrusted=demands.allow_untrusted,
            cid=demands.cid,
        )
        if report.state == "untrusted":
            why = "; ".join(check.detail for check in report.failed)
            progress.note(f"WARNING: not trusted ({why}); used because of --allow-untrusted")
        manifest = json.loads((folder / layout.MANIFEST).read_bytes())
        yield Unpacked(folder, report.cid or "", manifest)


def find_base(bundle: Unpacked, given: Path | None) -> Base:
    """The base that a bundle was trained on, its weights checked against the manifest.

    Raises:
        InputError: `given` is not a folder.
        LackingError: it is not on this machine.
        VerificationError: what is there has other weights.
    """
    named = bundle.manifest["base"]
    weights: dict[str, str] = named["weights"]
    if given is not None:
        if not given.is_dir():
            what = "this is not a folder" if given.exists() else "there is no such folder"
            raise InputError(
                Problem(what, where=f"--base {given}", fix="name the folder of the base's files")
            )
        base = resolve_base(str(given))
    elif named["revision"]:
        base = resolve_base(named["model"], named["revision"])
    else:
        # Its own files before those of its companions, which other bases share.
        own_first = sorted(weights, key=lambda name: "/" in name)
        places = (known_base(weights[name]) for name in own_first)
        place = next((folder for folder in places if folder is not None), None)
        if place is None or not place.is_dir():
            raise LackingError(
                Problem(
                    f"the base {named['model']!r} was a local folder, and is not known here",
                    fix="say where it is with --base DIR",
                )
            )
        base = resolve_base(str(place))
    with FileMemo() as memo:
        found = base.weights(memo)
    if found != weights:
        differing = sorted(
            k for k in found.keys() | weights.keys() if found.get(k) != weights.get(k)
        )
        raise VerificationError(
            Problem(
                f"its weights are not the ones that the bundle was trained on ({differing[0]})",
                where=f"base {base.name}",
                fix="give the base that the manifest names",
            )
        )
    return base


@contextlib.contextmanager
def answerer_for(
    bundle: Path,
    *,
    base: Path | None,
    device: str | None,
    progress: Progress,
    demands: Demands | None = None,
) -> Iterator[tuple[Unpacked, Answerer]]:
    """The bundle's adapter on its base, ready to answer as it did when it was scored.

    Args:
        bundle: the bundle file.
        base: where a local base is, when this machine did not compile the bundle.
        device: `cpu` or `cuda`; what the spec says when None.
        progress: told of the stages.
        demands: what the bundle must be; trusted by the user's own trust file when None.
    """
    progress.stage("unpack and check")
    with unpacked(bundle, demands or Demands(), progress) as files:
        found = find_base(files, base)
        progress.stage("load base and adapter")
        with _answerer(files, found, device, progress) as answerer:
            yield files, answerer


@contextlib.contextmanager
def _answerer(
    files: Unpacked, base: Base, device: str | None, progress: Progress
) -> Iterator[Answerer]:
    """Load the base with what was trained in its weights, and the bundle's own processor."""
    import torch

    from kolm_cli.answering.answerer import Answerer
    from kolm_cli.trainer.base_model import load_base
    from kolm_cli.trainer.devices import pick_device, settle_numerics
    from kolm_cli.trainer.merged import merge

    launch = files.spec["launch"]
    device = pick_device(
        device or launch["device"],
        where="--device",
        fix="use --device cpu, or run where there is a GPU",
    )
    settle_numerics()
    if launch.get("threads"):
        torch.set_num_threads(launch["threads"])
    train = files.spec["train"]
    bf16 = bool(train["bf16"])
    with encoder_of(files, base, progress) as encoder:
        loaded = load_base(base, bf16=bf16, attention=train["attention"])
        model = merge(loaded, files.folder / "adapter", bf16=bf16)
        base.family.follow_processor(loaded, encoder.processor)
        yield Answerer(
            model,
            encoder,
            device=device,
            bf16=bf16,
            max_new_tokens=files.spec["evaluate"]["max_new_tokens"],
            boxes="coordinates" in files.trained,
        )


@contextlib.contextmanager
def encoder_of(files: Unpacked, base: Base, progress: Progress) -> Iterator[Encoder]:
    """The encoder of a bundle, on the processor that it carries.

    Raises:
        VerificationError: that processor cannot be loaded, or is not like the base's.
    """
    from kolm_cli.encoding.encoder import Encoder, Limits
    from kolm_cli.encoding.guarded_rendering import guarded

    processor = load_processor(files, base, progress)
    limits = Limits(
        files.spec["train"]["max_seq_length"],
        side=files.spec["data"]["truncation"],
        fit=files.spec["data"]["images"].get("resize") == "fit",
    )
    with guarded(base.family, processor) as renderer:
        yield Encoder(base.family, processor, limits, renderer=renderer, vocabulary=base.vocabulary)
