"""What goes wrong between a bundle and a server, told apart by three checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kolm_cli.parity.prompts import Expected, Probe
from kolm_cli.parity.replay import Served

Answers = Mapping[str, str | None]


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        name: `base`, `picture` or `template`.
        ok: True when it holds, False when not, None when it could not be told.
        detail: a sentence for a person.
    """

    name: str
    ok: bool | None
    detail: str


def not_the_base(served: Answers, bundle: Answers, base: Answers) -> Finding:
    """The server answers as the bundle where bundle and base differ, not as the base."""
    telling = [row for row in served if bundle[row] != base[row]]
    as_base = sum(served[row] == base[row] for row in telling)
    as_bundle = sum(served[row] == bundle[row] for row in telling)
    if not telling:
        return Finding("base", None, "the bundle answers no row otherwise than its base")
    said = (
        f"of {len(telling)} rows that bundle and base answer differently, {as_bundle} are as the"
        f" bundle's and {as_base} as the base's"
    )
    if as_base >= as_bundle:
        return Finding("base", False, f"{said}: the adapter is not loaded")
    return Finding("base", True, said)


@dataclass(frozen=True)
class Probed:
    """What a server made of a prompt without images.

    Attributes:
        probe: the prompt.
        text: what its template renders; None when it does not say.
        tokens: the tokens of that; None likewise.
        count: how many tokens it counts; None likewise.
    """

    probe: Probe
    text: str | None = None
    tokens: Sequence[int] | None = None
    count: int | None = None

    @property
    def how(self) -> str:
        """By what it can be compared, the best first; empty for nothing."""
        known = {"token by token": self.tokens, "as text": self.text, "by its length": self.count}
        return next((how for how, value in known.items() if value is not None), "")

    @property
    def same(self) -> bool:
        """Whether it renders as the bundle's template."""
        if self.tokens is not None:
            return list(self.tokens) == list(self.probe.tokens)
        if self.text is not None:
            return self.text == self.probe.text
        return self.count == len(self.probe.tokens)


def same_template(probed: Sequence[Probed]) -> Finding:
    """The server's chat template renders prompts as the bundle's does."""
    compared = [one for one in probed if one.how]
    if not compared:
        what = (
            "this model is not asked without a picture" if not probed else "the server does not say"
        )
        return Finding("template", None, f"not compared: {what}")
    how = compared[0].how
    other = next((one for one in compared if not one.same), None)
    if other is None:
        return Finding("template", True, f"{len(compared)} prompts are the same, {how}")
    length = len(other.tokens) if other.tokens is not None else other.count
    detail = f"{other.probe.row.id} is rendered differently, compared {how}"
    if length is not None:
        detail += f": {length} tokens, not {len(other.probe.tokens)}"
    return Finding("template", False, detail)


def same_pictures(
    served: Sequence[Served], expected: Sequence[Expected], template: Sequence[Probed]
) -> Finding:
    """Pictures become as many tokens as they were when the bundle was scored."""
    if not expected:
        return Finding("picture", None, "not compared: the bundle's base is not here")
    longer = [
        one.reply.prompt_tokens - wanted.tokens
        for one, wanted in zip(served, expected, strict=True)
        if wanted.images
        and wanted.tokens is not None
        and one.reply is not None
        and one.reply.prompt_tokens is not None
    ]
    if not longer:
        pictures = any(wanted.images for wanted in expected)
        what = "the server counts no tokens" if pictures else "no row has a picture"
        return Finding("picture", None, f"not compared: {what}")
    # What the template adds to a prompt without a picture is not the picture's.
    counted = [one.count - len(one.probe.tokens) for one in template if one.count is not None]
    usual = counted[0] if counted and len(set(counted)) == 1 else 0
    other = Counter(each - usual for each in longer if each != usual)
    if not other:
        return Finding("picture", True, f"{len(longer)} prompts with pictures have the same length")
    by, rows = other.most_common(1)[0]
    words = f"{abs(by)} tokens {'more' if by > 0 else 'fewer'}"
    return Finding(
        "picture",
        False,
        f"{sum(other.values())} of {len(longer)} prompts with pictures have another length, {rows}"
        f" of them {words}: the server shows other pictures",
    )
