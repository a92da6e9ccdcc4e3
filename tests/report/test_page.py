"""The report as a file: what it says, that it fetches nothing, and that no word of it is markup."""

from __future__ import annotations

import base64
import hashlib
import html
import html.parser
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from kolm_cli.bundle.format.parity import Parity
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.core.printable import printable
from kolm_cli.core.progress import Silent
from kolm_cli.report.charts import bars
from kolm_cli.report.facts import Before, gather_facts
from kolm_cli.report.page import Options, render
from kolm_cli.report.previous import before
from kolm_cli.scoring.gate import Gate, NoRegression, Reached, judge
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
        "The spec has no gate.",
        "a key that is trusted here signed it",
        "hue 1?",
        "Gradient norm before clipping",
        "frozen language",
        "It was trained on a CPU, where kolm plans nothing",
        "seconds a step",
        "The bundle holds no statement that a server answers as it does",
        "Longer side of the pictures",
        "The spec asks for none.",
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


def test_what_a_gpu_a_server_and_an_earlier_bundle_add(compiled: Compiled) -> None:
    facts = gather_facts(compiled.bundle, TrustPolicy())
    planned = {"live_bytes": 31e9, "needed_bytes": 34.5e9, "seconds_a_step": 2.0}
    environment = {
        **facts.environment, "accelerator": "cuda", "planned": planned,
        "peak_bytes": 31_000_000_000, "seconds_a_step": {"median": 1.0},
    }  # fmt: skip
    said = Parity(
        "vLLM", "0.32.0", "m", ("vllm", "ab" * 32), 240, 0.97, [("x", "y")], (0.9, 0.85),
        {"base": True, "picture": True, "template": None}, "2026-11-26T12:00:00Z", "0.1.0",
    )  # fmt: skip
    asked = Gate(accuracy=0.9, axes={"S": 0.1}, no_regression=NoRegression("x:latest"))
    reached = Reached(
        None, 0.88, {"S": 0.7}, previous={"cid": None}, intervals={"accuracy": (0.8, 0.93)}
    )
    facts = replace(
        facts,
        environment=environment,
        parity=[(said, "SHA256:key", False)],
        previous=Before("bafkreibefore", facts.evaluation, "f" * 64, "training started from it"),
        rulings=[one.as_json() for one in judge(asked, reached).rulings],
    )
    page = render(facts, Options(), Silent())
    checked(page)
    text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
    for words in (
        "live tensors at their peak 31 GB 31 GB 1.00",
        "memory on the GPU 34.5 GB - -",
        "seconds a step 2 s 1 s 0.50",
        "239 of 240 (0.9958; asked for 0.97)",
        "0.8500 (-0.0500 against the bundle's)",
        "base holds; picture holds; template not compared",
        "SHA256:key, NOT trusted here",
        "Previous (training started from it) bafkreibefore",
        "The previous bundle was scored on other rows.",
        "accuracy FAILED 0.9 0.8800 not sure: 95 % is 0.8000 to 0.9300",
        "axes.S passed 0.1 0.7000 sure: it is counted",
        "no_regression passed -0.01 - there is no x:latest yet to be worse than",
    ):
        assert words in text, words


def test_the_bundle_before_is_found_in_the_registry(own_compiled: Compiled) -> None:
    job, cid = own_compiled.job, own_compiled.report["cid"]

    def previous() -> str:
        done = job.kolm("report", "dist/tiny.kolm", "-o", "report.html")
        assert done.code == 0, done.err
        text = Elements((job.folder / "report.html").read_text()).text
        found = re.search(r"Previous \((.*?)\)(bafk[a-z2-7]+)", text)
        return f"{found[1]}: {found[2]}" if found else ""

    assert previous() == ""
    # As if it had been stored yesterday.
    index = job.home / "registry" / "index.json"
    index.write_text(re.sub(r'(stored": ")\d{4}', r"\g<1>2001", index.read_text()))
    job.write_spec(evaluate={"usd_per_hour": 2.0})
    assert job.kolm("compile", "spec.yaml").code == 0
    assert previous() == f"the last of this name before it that met its gate: {cid}"


def test_a_strangers_words_are_words(tmp_path: Path) -> None:
    evil_bundle(tmp_path / "a.kolm")
    facts = gather_facts(tmp_path / "a.kolm", TrustPolicy())
    page = render(facts, Options(), Silent())
    elements = checked(page)
    assert EVIL in elements.text
    assert "<img" not in page
    # Nor can a word steer whoever prints the file, or turn the text around it.
    assert "\\x1b[31m\\x9b" in page
    assert "\\u202e" in page
    assert printable(page) == page


def test_a_stranger_s_receipt_names_no_file_of_this_machine(tmp_path: Path) -> None:
    evil_bundle(tmp_path / "a.kolm")
    facts = gather_facts(tmp_path / "a.kolm", TrustPolicy())
    there = {**facts.trained, "parent": str(tmp_path / "a.kolm")}
    assert before(replace(facts, trained=there)) is None


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
