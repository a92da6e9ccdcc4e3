"""How large pictures are shown: each family's processor is told, and the limits are kept."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.encoding.row_checks import check_rows
from kolm_cli.families.image_limits import ImageLimits
from tests.support.cases import Case, Notes
from tests.support.jobs import Job

# On tiny bases: a limit, and one that shows the same picture with fewer tokens.
LIMITS: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "qwen2_vl": ({"max_pixels": 12544}, {"max_pixels": 3136}),
    "qwen2_5_vl": ({"max_pixels": 12544}, {"max_pixels": 3136}),
    "qwen3_vl": ({"max_pixels": 16384}, {"max_pixels": 4096}),
    "qwen3_5": ({"max_pixels": 16384}, {"max_pixels": 4096}),
    "idefics3": ({"longest_edge": 112}, {"longest_edge": 56}),
    "smolvlm": ({"longest_edge": 112}, {"longest_edge": 56}),
    "llava_next": ({"max_pixels": 3136}, {"max_pixels": 1568}),
    "llava_onevision": ({"max_pixels": 3136}, {"max_pixels": 784}),
    "internvl": ({"max_pixels": 3136}, {"max_pixels": 784}),
    "phi3_v": ({}, {}),
    "phi4_multimodal": ({"max_pixels": 4 * 448 * 448}, {"max_pixels": 448 * 448}),
    "pixtral": ({"longest_edge": 112}, {"longest_edge": 56}),
    "mistral3": ({"longest_edge": 112}, {"longest_edge": 56}),
}
SIZE = (120, 112)


def encode(case: Case, limits: dict[str, int]) -> Any:
    encoder = case.encoder()
    encoder = replace(encoder, processor=copy.deepcopy(encoder.processor))
    encoder.family.limit_images(encoder.processor, ImageLimits(**limits))
    # Phi-4's tiles are 448 pixels wide, also on a tiny base.
    size = (900, 450) if case.family.name == "phi4_multimodal" else SIZE
    return encoder.training(case.row(("What?", "This."), images=[size]))


def test_a_limit_is_taken_or_refused_by_name(pictured: Case) -> None:
    sizing = pictured.family.image_sizing
    takes = sizing.takes if sizing else ()
    refused = {"min_pixels", "max_pixels", "longest_edge"} - set(takes)
    limits = ImageLimits(**dict.fromkeys(refused, 100_000))
    with pytest.raises(InputError, match="does not take it") as caught:
        pictured.family.limit_images(copy.deepcopy(pictured.processor), limits)
    assert {p.where for p in caught.value.problems} == {f"data.images.{name}" for name in refused}
    for problem in caught.value.problems:
        assert (", ".join(takes) or "shows every picture at one size") in problem.fix


def test_every_family_that_takes_limits_is_tried(pictured: Case) -> None:
    assert (pictured.family.image_sizing is not None) == (pictured.family.name in LIMITS)


def test_a_lower_limit_takes_fewer_tokens(pictured: Case) -> None:
    large, small = LIMITS.get(pictured.family.name, ({}, {}))
    if pictured.family.name == "phi3_v":
        tile = pictured.processor.image_processor.tile_size**2
        large, small = {"max_pixels": 4 * tile}, {"max_pixels": tile}
    if pictured.family.image_sizing is None:
        assert encode(pictured, {}).image_tokens > 0
        return
    more, fewer = encode(pictured, large).image_tokens, encode(pictured, small).image_tokens
    assert 0 < fewer < more


@pytest.mark.parametrize(
    ("family", "limits", "said"),
    [
        ("qwen2_5_vl", {"max_pixels": 100}, "less than one token's 784"),
        ("qwen2_5_vl", {"min_pixels": 9000, "max_pixels": 8000}, "min_pixels 9000 is above"),
        ("llava_next", {"max_pixels": 100}, "less than the smallest grid's 1568"),
        ("internvl", {"max_pixels": 100}, "less than one tile's 784"),
        ("idefics3", {"longest_edge": 10}, "less than one tile's 28"),
    ],
)
def test_what_cannot_be_is_refused_with_the_least(
    new_case: Callable[..., Case], family: str, limits: dict[str, int], said: str
) -> None:
    case = new_case(family)
    with pytest.raises(InputError, match=re.escape(said)):
        case.family.limit_images(copy.deepcopy(case.processor), ImageLimits(**limits))


@pytest.mark.parametrize("family", ["qwen2_5_vl", "idefics3", "llava_next"])
def test_rows_that_do_not_fit_are_told_which_size_would(
    new_case: Callable[..., Case], family: str
) -> None:
    case = new_case(family)
    whole = case.encoder().training(case.row(("Q?", "A"), images=[SIZE]))
    encoder = case.encoder(whole.tokens - 4)
    rows = [case.row(("Q?", "A"), images=[SIZE], name=f"rows:{n}") for n in range(4)]
    found = check_rows(encoder, rows, progress=Notes())
    assert len(found.too_long) == 4
    [(name, value)] = re.findall(r"data\.images: \{(\w+): (\d+)\}", found.hint(encoder))
    smaller = replace(encoder, processor=copy.deepcopy(encoder.processor))
    case.family.limit_images(smaller.processor, ImageLimits(**{name: int(value)}))
    assert not check_rows(smaller, rows, progress=Notes()).problems


@pytest.mark.parametrize("family", ["llava", "qwen2_5_vl", "internvl"])
def test_no_size_is_promised_where_none_helps(new_case: Callable[..., Case], family: str) -> None:
    """The answer alone is over the budget."""
    case = new_case(family)
    encoder = case.encoder(5)
    found = check_rows(encoder, [case.row(("Q?", "A" * 40), images=[SIZE])], progress=Notes())
    assert found.problems
    assert "data.images: {" not in found.hint(encoder)
    assert ("shows every picture at one size" in found.hint(encoder)) == (family == "llava")


def test_the_spec_s_limits_reach_training_and_the_bundle(new_job: Callable[..., Job]) -> None:
    """The processor in the bundle, which answers, shows pictures as training did."""
    import json
    import zipfile

    job = new_job(data={"images": {"max_pixels": 1568}})
    checked = job.kolm("validate", "spec.yaml", "--json")
    assert checked.code == 0, checked.err
    # 56 x 28 pictures keep their two tokens, and 56 x 56 ones are shrunk to a single one.
    assert checked.json["train"]["tokens"]["image"] == 8 * 2 + 8 * 1
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    with zipfile.ZipFile(Path(done.json["bundle"])) as archive:
        texts = [archive.read(n) for n in archive.namelist() if n.startswith("processor/")]
    configs = [json.loads(t) for t in texts if b"longest_edge" in t]
    assert any("1568" in json.dumps(config) for config in configs)
    job.write_spec(data={"images": {"longest_edge": 100}})
    refused = job.kolm("validate", "spec.yaml")
    assert refused.code == 2
    assert "data.images.longest_edge: qwen2_5_vl does not take it" in refused.err
