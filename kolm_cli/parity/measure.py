"""`kolm parity`: a bundle's own evaluation, asked of a server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.evaluation import EvaluationSettings, read_settings
from kolm_cli.bundle.format.predictions import read_predictions
from kolm_cli.core.errors import InputError, LackingError, Problem, VerificationError
from kolm_cli.core.progress import Progress
from kolm_cli.parity.checks import (
    Answers,
    Finding,
    Probed,
    not_the_base,
    same_pictures,
    same_template,
)
from kolm_cli.parity.client import Identity, Server, ServerError, connected, identify, tells_all
from kolm_cli.parity.prompts import Expected, Probe, expected_of, messages_of, probes_of
from kolm_cli.parity.prompts import template_options as options_of
from kolm_cli.parity.replay import Served, replay
from kolm_cli.parity.report import ParityReport, demanded_of
from kolm_cli.pipeline.bundle_use import Demands, encoder_of, find_base, unpacked
from kolm_cli.pipeline.during import held_out
from kolm_cli.pipeline.evaluate import find_pack, read_pack
from kolm_cli.pipeline.unpacked import Unpacked
from kolm_cli.records.row import Row, rows_digest
from kolm_cli.scoring.score import row_scores, weights_of

PROBES = 3


@dataclass(frozen=True)
class Asking:
    """How a server is asked.

    Attributes:
        url: its address.
        token: its key; empty for none.
        model: what is asked; when empty, the bundle's CID or the only model that it has.
        seconds: the longest that one answer may take.
        parallel: how many rows are asked at once.
        rows: how many rows of the pack are asked, from its beginning; all when None.
        demanded: the least share of equal answers; by the type when None.
        named: the program and its version, as far as they are known better than it says.
    """

    url: str
    token: str = ""
    model: str = ""
    seconds: float = 120.0
    parallel: int = 4
    rows: int | None = None
    demanded: float | None = None
    named: Identity | None = None


@dataclass(frozen=True)
class _Known:
    """What the bundle has to say, before anybody is asked."""

    rows: Sequence[Row]
    settings: EvaluationSettings
    bundle: Answers
    base: Answers
    expected: Sequence[Expected]
    probes: Sequence[Probe]
    options: dict[str, Any]

    @property
    def asked(self) -> Sequence[Row]:
        """The rows as they are sent."""
        if not self.expected:
            return self.rows
        return [each.asked or row for row, each in zip(self.rows, self.expected, strict=True)]

    def placed(self, number: int, text: str | None) -> str | None:
        """A server's answer, with boxes as the bundle's answers have them."""
        return text if text is None or not self.expected else self.expected[number].placed(text)


def measure(
    bundle: Path,
    asking: Asking,
    *,
    pack: str | None = None,
    export: Path | None = None,
    base: Path | None = None,
    demands: Demands | None = None,
    progress: Progress,
) -> ParityReport:
    """Ask a server the bundle's evaluation pack, and compare.

    Args:
        bundle: the bundle file.
        asking: the server, and how it is asked.
        pack: where the pack is, when this machine did not compile the bundle.
        export: the exported folder that the server serves.
        base: where a local base is, when this machine did not compile the bundle.
        demands: what the bundle must be; trusted by the user's own trust file when None.
        progress: told of the stages.

    Raises:
        InputError: the pack is not here, or another one; the bundle holds no answers.
        LackingError: the server cannot be asked.
        VerificationError: the bundle is not intact or not trusted, or the export is another's.
    """
    given = None if pack is None else read_pack(pack)
    progress.stage("unpack and check")
    with unpacked(bundle, demands or Demands(), progress) as files:
        exported, dtype = _export(export, files)
        progress.stage("encode the prompts")
        known = _known(files, given, asking.rows, base, progress)
        if cut := sum(each.tokens is None for each in known.expected):
            progress.note(f"{cut} prompts were cut when the bundle was scored; they are sent whole")
        names = (files.cid, files.manifest["name"])
        identity, model, served, probed = asyncio.run(_ask(asking, known, names, progress))
        cid, rows_in_pack = files.cid, known.settings.rows
    answers = {
        row.id: None if each.reply is None else known.placed(number, each.reply.text)
        for number, (row, each) in enumerate(zip(known.rows, served, strict=True))
    }
    metric = known.settings.scoring().metric
    bundle_scores, served_scores = (
        row_scores(metric, known.rows, said) for said in (known.bundle, answers)
    )
    return ParityReport(
        cid=cid,
        server=identity,
        model=model,
        export=exported,
        dtype=dtype,
        demanded=demanded_of(dtype) if asking.demanded is None else asking.demanded,
        whole=len(known.rows) == rows_in_pack,
        bundle={row.id: known.bundle[row.id] for row in known.rows},
        served=answers,
        errors={
            row.id: each.error
            for row, each in zip(known.rows, served, strict=True)
            if each.reply is None
        },
        scores=(bundle_scores, served_scores),
        weights=weights_of(known.rows),
        findings=_findings(known, answers, served, probed),
    )


def _findings(
    known: _Known, answers: Answers, served: Sequence[Served], probed: Sequence[Probed]
) -> list[Finding]:
    return [
        not_the_base(answers, known.bundle, known.base),
        same_pictures(served, known.expected, probed),
        same_template(probed),
    ]


def _export(folder: Path | None, files: Unpacked) -> tuple[tuple[str, str] | None, str]:
    """The format and digest of an export, and the type that it is served in."""
    scored = "bfloat16" if files.spec["train"]["bf16"] else "float32"
    if folder is None:
        return None, scored
    from kolm_cli.export.manifest import read_manifest

    manifest = read_manifest(folder)
    if manifest.cid != files.cid:
        raise VerificationError(
            Problem(
                f"is an export of {manifest.cid}",
                f"--export {folder}",
                "export this bundle anew, or leave it out",
            )
        )
    return (manifest.to, manifest.digest), manifest.dtype or scored


def _known(
    files: Unpacked,
    given: Sequence[Row] | None,
    most: int | None,
    base: Path | None,
    progress: Progress,
) -> _Known:
    chose = held_out(files.trained)
    asked = find_pack(files) if given is None else given
    rows = [row for row in asked if row.digest not in chose]
    wanted = files.spec["data"]["eval"].removeprefix("sha256:")
    if given is not None and rows_digest(rows) != wanted:
        raise InputError(
            Problem(
                "these are not the rows that the bundle was scored on",
                where="--pack",
                fix=f"their digest has to be {wanted[:12]}…; rows are named by their place",
            )
        )
    settings = read_settings((files.folder / layout.EVALUATION).read_bytes())
    answers = []
    for path in (layout.PREDICTIONS, layout.BASE_PREDICTIONS):
        if not (files.folder / path).is_file():
            raise InputError(
                Problem(
                    "the bundle holds no answers to compare with",
                    fix="compile it with evaluate.include: answers",
                )
            )
        answers.append(read_predictions((files.folder / path).read_bytes(), path))
    rows = rows[:most]
    expected, probes, options = _encoded(files, rows, base, progress)
    return _Known(
        rows=rows,
        settings=settings,
        bundle=answers[0],
        base=answers[1],
        expected=expected,
        probes=probes,
        options=options,
    )


def _encoded(
    files: Unpacked, rows: Sequence[Row], base: Path | None, progress: Progress
) -> tuple[Sequence[Expected], Sequence[Probe], dict[str, Any]]:
    """What the bundle's own processor makes of the rows; nothing where its base is not here."""
    try:
        found = find_base(files, base)
    except LackingError as error:
        if any(row.conversation.boxes for row in rows):
            raise  # Which numbers its boxes are, only the base's processor says.
        progress.note(f"pictures and template are not compared: {error.problems[0].what}")
        return [], [], {}
    with encoder_of(files, found, progress) as encoder:
        expected = expected_of(encoder, rows)
        return expected, probes_of(encoder, rows, PROBES), dict(options_of(encoder))


async def _ask(
    asking: Asking, known: _Known, names: Sequence[str], progress: Progress
) -> tuple[Identity, str, list[Served], list[Probed]]:
    async with connected(
        asking.url, token=asking.token, seconds=asking.seconds, parallel=asking.parallel
    ) as server:
        model, owner = _chosen(await server.models(), asking.model, names, server.root)
        identity = await identify(server, owner)
        if asking.named is not None:
            identity = Identity(asking.named.name, asking.named.version or identity.version)
        progress.note(f"server: {identity}, model {model}")
        served = await replay(
            server,
            model,
            known.asked,
            max_tokens=known.settings.max_new_tokens,
            options=known.options,
            parallel=asking.parallel,
            progress=progress,
        )
        progress.stage("compare the chat template")
        probed = [await _probe(server, model, probe, known.options) for probe in known.probes]
    return identity, model, served, probed


def _chosen(
    models: Sequence[tuple[str, str]], wanted: str, known: Sequence[str], root: str
) -> tuple[str, str]:
    """The model to ask, and its owner: the CID or the bundle's name, where there are several."""
    names = [name for name, _ in models]
    if not wanted:
        wanted = next((name for name in known if name in names), "")
    if wanted and wanted in names:
        return models[names.index(wanted)]
    if not wanted and len(models) == 1:
        return models[0]
    if wanted and not any(tells_all(owner) for _, owner in models):
        # Others load what they are asked for, and list it afterwards.
        return wanted, ""
    listed = ", ".join(sorted(names)[:20]) or "none"
    what = f"there is no model {wanted!r:.200}" if wanted else f"it has {len(models)} models"
    raise InputError(
        Problem(f"{what}; the server lists: {listed}", where=root, fix="choose one with --model")
    )


async def _probe(server: Server, model: str, probe: Probe, options: Mapping[str, Any]) -> Probed:
    """What a server makes of a prompt without a picture, in all the ways in which it tells."""
    messages = messages_of(probe.row)
    asked = {"model": model, "messages": messages, **options}
    tokens = await server.look("/tokenize", {**asked, "add_generation_prompt": True})
    listed = tokens.get("tokens") if isinstance(tokens, dict) else None
    # Some servers have a path of that name for plain texts, and find none in the request.
    whole = isinstance(listed, list) and bool(listed) and all(type(t) is int for t in listed)
    rendered = await server.look("/apply-template", asked)
    text = rendered.get("prompt") if isinstance(rendered, dict) else None
    try:
        count = (await server.ask(model, messages, 1, options)).prompt_tokens
    except ServerError:
        count = None
    return Probed(
        probe,
        text=text if isinstance(text, str) else None,
        tokens=listed if whole else None,
        count=count,
    )
