"""Masks, prompts, reserved tokens and texts with published tokenizers and image settings."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest

from kolm_cli.encoding.encoded import IGNORE, RowError
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.encoding.mask_view import CLOSE, OPEN, marked_text
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.records.row import Row
from tests.encoding.published import encoder
from tests.support.cases import picture

pytestmark = pytest.mark.published

FAMILIES = ["qwen2_5_vl", "qwen3_vl", "idefics3", "gemma3", "text", "text_thinking"]
TEXTS = [
    "A chart.",
    "42",
    "1,234.50 €",
    '{"total": 7, "items": [1, 2]}',
    "Größe: 5 µm, naïve café",
    "数字は四十二です。",
    "שלום עולם",
    "👩‍👩‍👧‍👦 and 🇩🇪",
    "first line\nsecond line\n\nthird",
    "def f(x):\n    return x * 2\n\tindented",
    "a  b   c",
    "x" * 200,
]


def row(using: Encoder, *turns: tuple[str, str], system: str = "", size: Any = (96, 80)) -> Row:
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    for index, (asked, said) in enumerate(turns):
        parts: list[dict[str, Any]] = [{"type": "text", "text": asked}]
        if index == 0 and using.family.takes.images:
            parts.insert(0, {"type": "image", "image": picture(*size, 0)})
        messages += [
            {"role": "user", "content": parts},
            {"role": "assistant", "content": said},
        ]
    return rows_from_python([{"messages": messages, "images": None}])[0]


def rows(using: Encoder) -> list[Row]:
    found = [row(using, ("Say yes: yes", "yes")), row(using, ("Who?", "Me."), system="Be brief.")]
    if using.family.takes.several_turns:
        found.append(row(using, ("One?", "1"), ("Two?", "2 2"), ("One?", "1"), system="Count."))
    return found + [row(using, ("Repeat it.", text)) for text in TEXTS]


def learned(using: Encoder, given: Row) -> list[str]:
    """Each stretch of tokens that carries loss, as text."""
    labels = using.training(given).labels
    assert labels is not None
    stretches = groupby(labels.tolist(), key=lambda token: token != IGNORE)
    return [using.tokenizer.decode(list(run)) for wanted, run in stretches if wanted]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_answers_and_their_end_tokens_carry_loss_and_nothing_else(family: str) -> None:
    using = encoder(family)
    for given in rows(using):
        said = [m.text for m in given.conversation.messages if m.role == "assistant"]
        found = learned(using, given)
        assert all(text.endswith(using.end_of_turn) for text in found)
        stripped = [text.removesuffix(using.end_of_turn).strip() for text in found]
        assert stripped == [text.strip() for text in said]
        shown = marked_text(using, given)
        assert shown.count(OPEN) == shown.count(CLOSE) == len(said)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_prompt_as_asked_begins_the_row_as_trained(family: str) -> None:
    using = encoder(family)
    for given in rows(using):
        asked = using.prompt(given).sequence["input_ids"].tolist()
        assert using.training(given).sequence["input_ids"].tolist()[: len(asked)] == asked


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seam_that_merges_is_refused_and_never_trained(family: str) -> None:
    using = encoder(family)
    for said in ("\nyes", "\n\nyes", "  yes", "\tyes"):
        given = row(using, ("Say it.", said))
        try:
            trained = using.training(given).sequence["input_ids"].tolist()
        except RowError as error:
            assert "joins with the end of the prompt" in str(error)  # noqa: PT017
            continue
        asked = using.prompt(given).sequence["input_ids"].tolist()
        assert trained[: len(asked)] == asked


@pytest.mark.parametrize("family", FAMILIES)
def test_no_text_may_hold_a_token_of_the_template(family: str) -> None:
    using = encoder(family)
    special = [t.content for t in using.tokenizer.added_tokens_decoder.values() if t.special]
    content = set(using.family.content_tokens)
    assert len(special) >= 8
    for token in special:
        assert bool(using.reserved_in(f"a {token} b")) == (token not in content), token
    for token in (using.end_of_turn, *special[:6]):
        for turn in ((f"a {token}", "b"), ("a", f"b {token}")):
            if token in content:
                assert learned(using, row(using, turn))
            else:
                with pytest.raises(RowError, match="keeps for itself"):
                    using.training(row(using, turn))


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_come_back_as_they_were(family: str) -> None:
    using = encoder(family)
    for text in TEXTS:
        assert using.decode(using.token_ids(text)) == text


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_boxes_are_trained_generated_and_read(family: str) -> None:
    using = encoder(family)
    said = "<|object_ref_start|>dog<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|>"
    assert learned(using, row(using, ("Where?", said))) == [said + using.end_of_turn]
    assert using.decode(using.token_ids(said)) == said


def test_llama_3_s_first_template_takes_one_turn_and_says_so() -> None:
    """It opens another answer after the last one, so that a later turn rewrites an earlier."""
    using = encoder("text_published_template")
    one = row(using, ("Say yes.", "yes"), system="Be brief.")
    assert learned(using, one) == ["yes" + using.end_of_turn]
    with pytest.raises(RowError, match="rewrites earlier turns"):
        using.training(row(using, ("One?", "1"), ("Two?", "2")))


# Width and height; and the tokens, worked out by hand.
SIZES = [
    (224, 224), (640, 480), (1024, 768), (1280, 720), (1920, 1080), (3840, 2160),
    (4000, 3000), (6000, 4000), (50, 50), (28, 28), (300, 1200), (2000, 500),
]  # fmt: skip
BY_HAND = {
    # arXiv:2502.13923, section 2.1: sides to multiples of 28, a token for 28 x 28; at least 3,136
    # and at most 12,845,056 pixels. 640 x 480: 23 x 17. 6000 x 4000: by 1.3669, 156 x 104.
    "qwen2_5_vl": [64, 391, 999, 1196, 2691, 10549, 15301, 16224, 4, 4, 473, 1278],
    # arXiv:2511.21631: the same with 32, and 65,536 to 16,777,216 pixels. 640 x 480: 20 x 15.
    "qwen3_vl": [64, 300, 768, 880, 2040, 8160, 11750, 16224, 64, 64, 342, 992],
    # arXiv:2408.12637, section 2.2: the longer side becomes 4 x 364, tiles of 364 pixels with 169
    # tokens each, and the whole. 640 x 480: 1456 x 1092, 4 x 3 tiles.
    "idefics3": [2873, 2197, 2197, 2197, 2197, 2197, 2197, 2197, 2873, 2873, 845, 845],
    # arXiv:2503.19786, section 2: every picture is 896 x 896, pooled to 256 tokens.
    "gemma3": [256] * 12,
    # LLaVA-NeXT's release: 24 x 24 for the whole; of the best grid, the rows and columns that the
    # picture covers, and one token a row. 640 x 480: 672 x 672, of 48 rows 36: 576 + 36 * 49.
    "llava_next": [1176, 2340, 2340, 1948, 1948, 1948, 2340, 2144, 1176, 1176, 1944, 1890],
}  # fmt: skip


@pytest.mark.parametrize("family", BY_HAND)
def test_image_tokens_are_those_of_the_papers(family: str) -> None:
    using = encoder(family)
    given = row(using, ("What is it?", "This."))
    # Marks of rows and columns are text beside the features.
    (feature,) = using.tokenizer.convert_tokens_to_ids(
        [{"gemma3": "<image_soft_token>"}.get(family, using.processor.image_token)]
    )
    found = [
        using.counted(given, [size], prompt=False).sequence["input_ids"].tolist().count(feature)
        for size in SIZES
    ]
    assert dict(zip(SIZES, found, strict=True)) == dict(zip(SIZES, BY_HAND[family], strict=True))
