"""What a row says of its own judging, as tags of its pair: `eval.group:dates`, `eval.weight:2`.

So a capture store keeps it, exports carry it, and `kolm capture add --tag eval.group:dates` says
it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from kolm_cli.core import canonical_json
from kolm_cli.scoring.judging import KEYS, Judging

PREFIX = "eval."


def judging_tags(said: Mapping[str, Any]) -> tuple[str, ...]:
    """The tags that stand for these keys of a row; `judging_of` reads them.

    Raises:
        ValueError: a value cannot be one.
        InputError: it names no metric, or a wrong option.
    """
    found = Judging.of(said).as_json()
    return tuple(
        f"{PREFIX}{key}:{value if key == 'group' else canonical_json.dumps(value).decode()}"
        for key, value in found.items()
    )


def judging_of(tags: Iterable[str]) -> Judging:
    """What tags say of a row's judging; other tags say nothing.

    Raises:
        ValueError: a tag that begins with `eval.` says nothing that can be, or two say the same.
        InputError: one names no metric, or a wrong option.
    """
    said: dict[str, Any] = {}
    for tag in tags:
        if not tag.startswith(PREFIX):
            continue
        key, colon, text = tag.removeprefix(PREFIX).partition(":")
        if key not in KEYS or not colon:
            known = ", ".join(f"{PREFIX}{name}:" for name in KEYS)
            raise ValueError(f"the tag {tag!r:.80} is none of {known}")
        if key in said:
            raise ValueError(f"two tags begin with {PREFIX}{key}:")
        said[key] = text if key == "group" else _value(text)
    return Judging.of(said)


def _value(text: str) -> Any:
    """A number or a mapping as JSON; any other text is a name."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
