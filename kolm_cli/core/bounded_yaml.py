"""PyYAML's safe loader for a stranger's text: bounded numbers, and no error but its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

# PyYAML takes time quadratic in the length of a number with colons in it, and Python refuses to
# write out an integer of 4,300 digits.
MAX_NUMBER = 400


class BoundedLoader(yaml.SafeLoader):
    """Reads what PyYAML reads, but for numbers that nobody writes.

    Raises:
        yaml.MarkedYAMLError: also where PyYAML lets Python's own errors out.
    """

    def construct_number(self, node: yaml.ScalarNode, read: Callable[..., Any]) -> Any:
        """A number, if it is short and Python can hold it."""
        if len(node.value) > MAX_NUMBER:
            raise _refusal(f"a number of more than {MAX_NUMBER} characters", node.start_mark)
        try:
            return read(self, node)
        except (ValueError, OverflowError) as error:
            what = f"{node.value[:40]!r} is not a value: {error}"
            raise _refusal(what, node.start_mark) from error

    def scan_flow_scalar_non_spaces(self, double: bool, start_mark: yaml.Mark) -> list[str]:
        r"""As PyYAML's, which takes `\UFFFFFFFF` for a character and stumbles over it."""
        try:
            pieces: list[str] = super().scan_flow_scalar_non_spaces(double, start_mark)
        except (ValueError, OverflowError) as error:
            mark = self.get_mark()
            raise _refusal("there is no such character", mark) from error
        return pieces


def _refusal(what: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(None, None, what, mark)


def _integer(loader: BoundedLoader, node: yaml.ScalarNode) -> Any:
    return loader.construct_number(node, yaml.SafeLoader.construct_yaml_int)


def _float(loader: BoundedLoader, node: yaml.ScalarNode) -> Any:
    return loader.construct_number(node, yaml.SafeLoader.construct_yaml_float)


BoundedLoader.add_constructor("tag:yaml.org,2002:int", _integer)
BoundedLoader.add_constructor("tag:yaml.org,2002:float", _float)
