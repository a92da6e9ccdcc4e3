"""The review page: closed to others, and how it feels in a real browser."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.records.conversation import Conversation
from tests.capture.helpers import png


def test_the_page_is_closed_to_others(page: str, home: Path) -> None:
    root = page.split("/")[0] + "//" + page.split("/")[2]
    assert httpx.get(page).status_code == 200
    assert httpx.get(f"{root}/").status_code == 404
    assert httpx.get(f"{root}/wrong-token/pairs").status_code == 404
    assert httpx.get(page, headers={"Host": "evil.example"}).status_code == 403
    assert "default-src 'none'" in httpx.get(page).headers["content-security-policy"]
    wish = {"id": 1, "digest": "x", "state": "accepted"}
    # A form of another page can post text, but not JSON.
    assert httpx.post(f"{page}review", content=b"{}").status_code == 415
    assert httpx.post(f"{page}review", json=wish).status_code == 409
    assert httpx.post(f"{page}review", json={**wish, "state": "x"}).status_code == 400
    assert httpx.post(f"{page}review", json=[1]).status_code == 400
    big = httpx.post(f"{page}review", json={**wish, "response": "x" * 5_000_000})
    assert big.status_code == 413
    stray = png((1, 2, 3))
    with Store.open() as store:
        name = sha256_bytes(stray)
        pair = Conversation.of("q", "a", (name,))
        other = store.add("other", pair, {name: stray}, source="test")
    assert httpx.get(f"{page}image/{name}").status_code == 404
    wish = {"id": other.id, "digest": other.digest, "state": "rejected"}
    assert httpx.post(f"{page}review", json=wish).status_code == 403
    assert httpx.get(f"{page}pairs?state=pending&after=x").status_code == 400


@pytest.mark.slow
def test_a_reviewer_with_a_keyboard_in_a_real_browser(page: str, home: Path) -> None:
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    assert browser_path, "this test needs a browser: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        tab = browser.new_page()
        faults: list[Any] = []
        tab.on("pageerror", lambda error: faults.append(error))
        tab.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        tab.goto(page)

        def settled(times: int) -> None:
            # No waiting function: the page forbids that text is run as a program, also ours.
            tab.locator(f"body[data-ready='{times}']").wait_for()

        settled(1)
        assert tab.text_content("#counts") == "30 pending, 0 accepted, 0 rejected"
        # Captured markup is shown, not obeyed.
        assert tab.text_content(".text") == "<b>question</b> 0"
        tab.wait_for_load_state("networkidle")
        assert tab.evaluate("document.querySelector('.message img').naturalWidth") == 40
        tab.keyboard.press("a")
        settled(2)
        assert tab.text_content(".text") == "<b>question</b> 1"
        tab.keyboard.press("r")
        settled(3)
        tab.keyboard.press("e")
        settled(4)
        tab.keyboard.press("Control+a")
        tab.keyboard.type("a better answer")
        tab.keyboard.press("Control+Enter")
        settled(5)
        assert tab.text_content("#counts") == "27 pending, 2 accepted, 1 rejected"
        tab.keyboard.press("e")
        settled(6)
        tab.keyboard.type("thrown away")
        tab.keyboard.press("Escape")
        settled(7)
        assert tab.input_value("#response") == "answer 3"
        tab.keyboard.press("j")
        settled(8)
        assert tab.text_content(".text") == "<b>question</b> 4"
        tab.keyboard.press("k")
        settled(9)
        tab.keyboard.press("a")
        settled(10)
        tab.keyboard.press("u")
        settled(11)
        assert tab.text_content(".text") == "<b>question</b> 3"
        # An empty correction is refused where the reviewer can read it.
        tab.keyboard.press("e")
        settled(12)
        tab.keyboard.press("Control+a")
        tab.keyboard.press("Delete")
        tab.keyboard.press("Control+Enter")
        settled(13)
        assert "the response is empty" in (tab.text_content("#error") or "")
        faults = [fault for fault in faults if "409" not in str(fault)]
        tab.keyboard.press("k")
        settled(14)
        for turn in range(28):
            tab.click("#accept")
            settled(15 + turn)
        assert tab.is_visible("#nothing")
        tab.select_option("#state", "accepted")
        tab.get_by_text("by ada").wait_for()
        assert faults == []
        browser.close()
    with Store.open() as store:
        pairs = {pair.id: pair for pair in store.pairs("ns")}
        everything = [store.pair(number) for number in range(1, 31)]
    assert [pair.review for pair in everything[:3]] == ["accepted", "rejected", "accepted"]
    assert pairs[3].conversation.response == "a better answer"
    assert {pair.reviewer for pair in everything} == {"ada"}
