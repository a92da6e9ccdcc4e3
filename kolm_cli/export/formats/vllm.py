"""`vllm`: an adapter that vLLM swaps in, on the base or on a thin copy of it.

vLLM loads LoRA and nothing else from an adapter. What was trained in full therefore goes into a
folder that links to the base's own weights, beside one small file that is read after them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from kolm_cli.core.errors import Problem
from kolm_cli.export.base import File, Format, Serving, Source, text
from kolm_cli.export.formats.peft import adapter_files
from kolm_cli.export.readme import listed, readme

ADAPTER, BASE, SCRIPT = "adapter", "base", "serve.sh"
# What vLLM's --max-lora-rank takes.
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


def _files(source: Source) -> Iterator[File]:
    yield from adapter_files(source, f"{ADAPTER}/")
    serving = _serving(source)
    if serving.model:
        from kolm_cli.export.settings import settings_files
        from kolm_cli.export.thin import thin_files

        yield from settings_files(source, f"{BASE}/")
        yield from thin_files(source, f"{BASE}/")
    yield text(SCRIPT, script(source, serving))
    yield text("README.md", readme(source, "peft", *_how(source)))


def _serving(source: Source) -> Serving:
    """On the base as the hub has it where nothing else is needed: its adapters share one server."""
    from kolm_cli.export.settings import follows_base

    as_it_is = bool(source.base.revision) and not source.full_parts and follows_base(source)
    return Serving(
        model="" if as_it_is else BASE,
        hub=(source.base.name, source.base.revision) if as_it_is else ("", ""),
        adapter=ADAPTER,
        tower_connector=set(source.lora_parts) > {"language"},
        max_rank=source.max_rank,
    )


def _problems(source: Source) -> list[Problem]:
    from kolm_cli.export.thin import thin_problems

    found = thin_problems(source)
    if source.max_rank > _RANKS[-1]:
        found.append(
            Problem(
                f"its rank is {source.max_rank}, and vLLM takes {_RANKS[-1]} at most",
                fix="export --to merged",
            )
        )
    return found


def options(source: Source, serving: Serving) -> list[str]:
    """What `vllm serve MODEL` is told."""
    rank = next(rank for rank in _RANKS if rank >= serving.max_rank)
    told = ["--dtype", source.dtype, "--enable-lora", "--max-lora-rank", str(rank)]
    if serving.tower_connector:
        told.append("--enable-tower-connector-lora")
    if serving.hub[0]:
        told += ["--revision", serving.hub[1]]
    return told


def script(source: Source, serving: Serving) -> str:
    """The exact command, from wherever it is started."""
    model = shlex.quote(serving.hub[0]) if serving.hub[0] else f'"$here/{BASE}"'
    told = " ".join(map(shlex.quote, options(source, serving)))
    return f"""\
#!/bin/sh
# Serves {source.cid} under that name; further options are passed on to vLLM.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec vllm serve {model} {told} \\
    --lora-modules "{source.cid}=$here/{ADAPTER}" "$@"
"""


def _how(source: Source) -> Iterator[str]:
    yield (
        f"`sh {SCRIPT}` starts vLLM with the adapter loaded, named by its CID. Ask for the model"
        f" `{source.cid}`."
    )
    yield (
        "An adapter that was trained again has another CID. Load it beside the old one, under its"
        " own name: a server that is told to load another adapter under an old name may answer from"
        " what it cached of the old one."
    )
    if source.full_parts:
        yield (
            f"Trained in full, and in `{BASE}/` beside links to the base's weights:"
            f" {listed(source.full_parts)}. Serve the adapter on this folder, not on the base"
            " itself. Another adapter needs another such folder, and so another server. Adapters"
            " trained with `train.projector: lora` or `freeze` share one base and one server."
        )


FORMAT = Format(
    name="vllm",
    summary="a LoRA adapter that vLLM swaps in, and a thin base where the projector needs one",
    files=_files,
    problems=_problems,
    serving=_serving,
)
