"""The report in a real browser: wide, on a phone, in print, without scripts, read by axe."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.report.scene import curves, evil_bundle
from tests.support.command import kolm
from tests.support.jobs import Compiled

AXE = Path(__file__).parents[1] / "interop" / "node_modules" / "axe-core" / "axe.min.js"
# Texts with less contrast than WCAG 2.1 asks for; those of drawings stand on white.
CONTRAST = """() => {
  const parts = (text) => (text.match(/[0-9.]+/g) || []).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map(
      (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const owner = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || owner.closest("script,style")) continue;
    const style = getComputedStyle(owner);
    const ink = parts(owner.closest("svg") ? style.fill : style.color).slice(0, 3);
    let back = [255, 255, 255];
    for (let node = owner; node; node = node.parentElement) {
      const colour = parts(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) { back = colour.slice(0, 3); break; }
    }
    const [a, b] = [light(ink), light(back)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) bad.push([walker.currentNode.data.trim(), style.color]);
  }
  return bad;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "this test needs a browser: apt-get install chromium"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def report(own_compiled: Compiled, tmp_path: Path) -> str:
    curves(own_compiled.job, own_compiled.report["cid"])
    out = tmp_path / "report.html"
    done = own_compiled.job.kolm("report", own_compiled.bundle, "-o", out)
    assert done.code == 0, done.err
    return out.as_uri()


@pytest.mark.slow
def test_it_can_be_read_everywhere(report: str, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report)
    assert page.evaluate(CONTRAST) == []
    # The filter, by keyboard.
    everything = page.locator(".item:visible").count()
    assert everything == 6
    page.locator("#filter input").first.focus()
    page.keyboard.press("ArrowRight")
    some = page.locator(".item:visible").count()
    assert 0 < some <= everything
    assert f"{some} of 6 rows are shown." in page.locator("#shown").inner_text()
    # A phone: nothing is wider than the screen.
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    # Print: every row, whatever was filtered on the screen, and no controls.
    page.emulate_media(media="print")
    assert not page.locator("#filter").is_visible()
    assert len(page.pdf(format="A4")) > 10_000
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    # One heading of the first rank, none is skipped; the drawings have their tables beside them.
    ranks = page.eval_on_selector_all("h1,h2,h3", "all => all.map(h => Number(h.tagName[1]))")
    assert ranks.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(ranks))
    assert page.locator("figure").count() == page.locator("figure table").count() >= 9
    page.close()


@pytest.mark.slow
def test_it_can_be_read_without_scripts_and_runs_no_strangers(tmp_path: Path, browser: Any) -> None:
    evil_bundle(tmp_path / "a.kolm")
    done = kolm("report", tmp_path / "a.kolm", "-o", tmp_path / "r.html")
    assert done.code == 0, done.err
    for scripts in (True, False):
        context = browser.new_context(java_script_enabled=scripts)
        page = context.new_page()
        alarms: list[str] = []
        page.on("dialog", lambda dialog, alarms=alarms: alarms.append(dialog.message))
        page.goto((tmp_path / "r.html").as_uri())
        assert page.locator(".item").count() == 10
        assert page.locator("#filter").is_visible() is scripts
        assert alarms == []
        context.close()


@pytest.mark.interop
def test_axe_finds_nothing(report: str, browser: Any) -> None:
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(report)
    page.add_script_tag(path=AXE)
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("rules => axe.run({runOnly: rules})", rules)
    assert len(found["passes"]) > 20
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found["violations"]] == []
    context.close()
