"""From counts to memory and time, by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from kolm_cli.encoding.row_facts import RowFacts
from kolm_cli.plan.cards import ASSUMED, CARDS, Assumed, as_line
from kolm_cli.plan.counts import Peak, Work
from kolm_cli.plan.fit import Weights, fit, seconds, sharded, with_nf4
from kolm_cli.plan.row_tokens import RowTokens

GB = 10**9
A100 = CARDS["a100-80gb"]
PEAK = Peak(30 * GB, {"base.language": 16 * GB, "gradients": 2 * GB, "activations": 12 * GB})
WEIGHTS = Weights(linear=12 * GB, largest=GB // 10, layer=GB // 2, base=16 * GB)


def test_slack_and_context_are_added() -> None:
    judged = fit(10 * GB, A100)
    assert judged.needed == 10 * GB * 1.05 + 1343 * 2**20
    assert judged.fits
    assert not fit(81 * GB, A100).fits


def test_nf4_packs_linear_layers_and_unpacks_one() -> None:
    packed = 12 * GB / 4 * (1 + 1 / 32 + 1 / 2048)
    assert with_nf4(PEAK, WEIGHTS) == pytest.approx(30 * GB - 12 * GB + packed + GB / 10)


def test_fsdp_shares_what_is_kept_and_has_four_layers_whole() -> None:
    assert sharded(PEAK, WEIGHTS, 2) == 12 * GB + 18 * GB / 2 + 2 * GB


def test_a_kernel_takes_the_longer_of_its_operations_and_its_bytes() -> None:
    sizes = Counter({(10**12, 0): 2, (0, 10**9): 3})
    work = Work(kernels=5, waits=2)
    found = seconds(sizes, work, A100, bf16=True)
    products = 2 * 10**12 / (A100.bf16 * ASSUMED.math)
    moves = 3 * 10**9 / (A100.bandwidth * ASSUMED.bandwidth)
    assert found.kernels == pytest.approx(products + moves)
    assert found.launches == pytest.approx(5 * ASSUMED.launch_seconds)
    assert found.total == pytest.approx(products + moves + 2 * ASSUMED.wait_seconds)


def test_many_small_kernels_wait_for_their_launch() -> None:
    found = seconds(Counter({(0, 100): 1000}), Work(kernels=1000), A100, bf16=True)
    assert found.total == pytest.approx(1000 * ASSUMED.launch_seconds)


def test_every_sheet_has_its_source() -> None:
    assert all(card.source and card.memory and card.bandwidth for card in CARDS.values())


def test_what_was_measured_on_a_card_is_a_line_of_its_data() -> None:
    """As `make test-gpu` prints it, and as it is then used."""
    given = replace(ASSUMED, times=1.5, context=10**9, slack=0.1, sources=("a card, 'so'",))
    found = eval("{" + as_line("h100", given) + "}", {"Assumed": Assumed})  # noqa: S307
    assert found == {"h100": given}
    card = replace(A100, given=found["h100"])
    assert fit(10 * GB, card).needed == 12 * GB
    sizes = Counter({(10**12, 0): 2})
    assert seconds(sizes, Work(kernels=2), card, bf16=True).total == pytest.approx(
        1.5 * seconds(sizes, Work(kernels=2), A100, bf16=True).total
    )


def test_tokens_of_rows() -> None:
    facts = [RowFacts(f"r{i}", tokens, tokens // 2, 3, 0) for i, tokens in enumerate((10, 20, 90))]
    tokens = RowTokens(3, facts, [("bad", "too long")])
    found = tokens.as_json(batch=2)
    assert found["tokens"] == {"min": 10, "median": 20, "p95": 90, "max": 90, "mean": 40}
    # 10 and 20 in one batch of width 20, 90 alone.
    assert found["padding"] == pytest.approx(1 - 120 / 130, abs=1e-4)
    assert sum(step["rows"] for step in found["histogram"]) == 3
    assert found["refused"] == [{"row": "bad", "why": "too long"}]
