"""YAML that `yaml_positions.parse` and plain PyYAML read back as the same values."""

from __future__ import annotations

from typing import Any

import yaml

from kolm_cli.core.yaml_positions import EXPONENT, EXPONENT_STARTS


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which also quotes the text that our reader takes for a number."""


# A short commit such as 5417e10 is text to PyYAML, and would be written bare.
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, EXPONENT_STARTS)


def dump(value: Any) -> bytes:
    """`value` as block-style YAML with sorted keys: the same bytes for the same value.

    A float is written as `repr` does, with a point and a signed exponent: nothing is lost.
    """
    return yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=True,
        allow_unicode=True,
        default_flow_style=False,
        width=2**20,
        encoding="utf-8",
    )
