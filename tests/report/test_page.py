"""The report as a file: what it says, that it fetches nothing, and that no word of it is markup."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
from pathlib import Path
from typing import Any

from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.core.progress import Silent
from kolm_cli.report.charts import bars
from kolm_cli.report.facts import gather_facts
from kolm_cli.report.page import Options, render
from tests.report.scene import EVIL, evil_bundle
from tests.support.command import kolm
from tests.support.jobs import Compiled


class Elements(html.parser.HTMLParser):
    """Every element with its attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def checked(page: str) -> Elements:
    """A page that runs one script, its own, and refers to nothing but itself."""
    elements = Elements(page)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert [tag for tag, _ in elements.found].count("script") == len(scripts) == 1
    policy = next(a["content"] for t, a in elements.found if t == "meta" and "http-equiv" in a)
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    ids = [a["id"] for _, a in elements.found if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in elements.found:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href"):
                assert value is not None
                assert value.startswith(("#", "data:image/jpeg;base64,"))
    return elements


def test_a_report_of_a_compile(compiled: Compiled, tmp_path: Path) -> None:
    job, out = compiled.job, tmp_path / "report.html"
    done = job.kolm("report", compiled.bundle, "-o", out, "--json")
    assert done.code == 0, done.err
    assert done.json["pack_here"]
    page = out.read_text()
    elements = checked(page)
    report = compiled.report
    for words in (
        report["cid"],
        f"{report['accuracy']:.4f}",
        "The gate was met.",
        "a key that is trusted here signed it",
        "hue 1?",
        "Gradient norm before clipping",
        "frozen language",
        f"kolm verify tiny.kolm --cid {report['cid']}",
    ):
        assert words in elements.text, words
    pictures = [a for t, a in elements.found if t == "img"]
    assert len(pictures) == 6
    assert all(picture["alt"] for picture in pictures)
    # A stranger's machine has neither the pack nor the curves, and the page says so.
    done = kolm("report", compiled.bundle, "-o", out)
    assert done.code == 0, done.err
    text = checked(out.read_text()).text
    assert "no key that is trusted here signed it" in text
    assert "a bundle holds no question and no picture" in text
    assert "hue 1?" not in text
    assert "has no curves of it" in text
    # Its rows can be given, if they are the ones.
    given = job.folder / "eval.jsonl"
    done = kolm("report", compiled.bundle, "-o", out, "--pack", given, "--no-pictures")
    assert done.code == 0, done.err
    text = checked(out.read_text()).text
    assert "hue 1?" in text
    assert "<img" not in out.read_text()
    done = kolm("report", compiled.bundle, "-o", out, "--pack", job.folder / "train.jsonl")
    assert done.code == 2
    assert "these are not the rows that the bundle was scored on" in done.err


def test_a_strangers_words_are_words(tmp_path: Path) -> None:
    evil_bundle(tmp_path / "a.kolm")
    facts = gather_facts(tmp_path / "a.kolm", TrustPolicy())
    page = render(facts, Options(), Silent())
    elements = checked(page)
    assert EVIL in elements.text
    assert "<img" not in page


def test_names_of_groups_are_no_formulas_and_no_markup() -> None:
    chart = bars("x", [EVIL, "a\nb\x1b[1m"], {"adapter": [0.5, None]})
    elements = Elements(chart.svg)
    assert {tag for tag, _ in elements.found} <= {"svg", "g", "path", "text", "defs", "use",
                                                  "clippath", "rect", "pattern"}  # fmt: skip
    assert '"><script>alert(1)</scr' in elements.text
    assert "a\\nb\\x1b[1m" in elements.text


def test_the_same_facts_give_the_same_page(tmp_path: Path) -> None:
    evil_bundle(tmp_path / "a.kolm")
    facts = gather_facts(tmp_path / "a.kolm", TrustPolicy())
    assert render(facts, Options(), Silent()) == render(facts, Options(), Silent())


def test_a_damaged_bundle_has_no_report(tmp_path: Path) -> None:
    evil_bundle(tmp_path / "a.kolm")
    data = bytearray((tmp_path / "a.kolm").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "a.kolm").write_bytes(data)
    assert kolm("report", tmp_path / "a.kolm", "-o", tmp_path / "r.html").code == 4
    assert not (tmp_path / "r.html").exists()
