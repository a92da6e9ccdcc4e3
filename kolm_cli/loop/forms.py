"""The forms of the objects in a journal: SQLite takes any text, and a file may be damaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Forms = Mapping[str, tuple[type, ...]]
_NUMBER = (int, float)
# Each may be missing: earlier versions said less.
SETTINGS: Forms = {
    **dict.fromkeys(("spec", "looked", "tag"), (str,)),
    **dict.fromkeys(("on_promote", "on_keep", "webhooks", "before_promote"), (list,)),
    "keep": (int,),
}
# What is read of a turn that compiled something.
RESULT: Forms = {
    **dict.fromkeys(("cid", "bundle"), (str,)),
    **dict.fromkeys(("accuracy", "base_accuracy"), _NUMBER),
    "k": (*_NUMBER, type(None)),
    "gate_failed": (list,),
    "gate_passed": (bool,),
}


def misfit(values: Mapping[str, Any], forms: Forms, *, whole: bool = False) -> str:
    """What is not of its form, in words; empty when all is well.

    Args:
        values: an object.
        forms: name to the types of its value; lists are of texts.
        whole: nothing may be missing.
    """
    for name, kinds in forms.items():
        if name not in values:
            if whole:
                return f"{name} is missing"
            continue
        value = values[name]
        texts = type(value) is not list or all(type(item) is str for item in value)
        if type(value) not in kinds or not texts:
            return f"{name} is {value!r:.60}"
    return ""
