"""Why a socket cannot listen."""

from __future__ import annotations

import pytest

from kolm_cli.core.errors import LackingError
from kolm_cli.core.listening import listening


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b", "fe80::1%nowhere"])
def test_a_host_that_is_not_this_machine_is_not_the_port_s_fault(host: str) -> None:
    with pytest.raises(LackingError, match="cannot listen") as refused:
        listening(host, 0, 1)
    assert "an address of this machine" in refused.value.problems[0].fix


def test_what_is_no_text_is_no_host() -> None:
    with pytest.raises(UnicodeEncodeError):
        listening("\udcff", 0, 1)
