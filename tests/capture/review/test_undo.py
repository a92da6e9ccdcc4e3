"""Taking decisions back: text and state, as many levels as there were decisions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kolm_cli.capture.review.decide import decide
from kolm_cli.capture.store import Store
from tests.capture.review.helpers import fill


def test_a_correction_that_is_taken_back_was_none(home: Path) -> None:
    (digest,) = fill(1)
    with Store.open() as store:
        first = decide(store, 1, digest, "accepted", "ada", "better")
        second = decide(store, 1, first.digest, "accepted", "ada", "best")
        assert second.corrected_from == digest
        back = decide(store, 1, second.digest, "accepted", "ada", "better")
        assert (back.digest, back.corrected_from) == (first.digest, digest)
        back = decide(store, 1, back.digest, "pending", "ada", "answer 0")
        assert (back.digest, back.corrected_from, back.review) == (digest, "", "pending")


@pytest.mark.slow
def test_undo_and_skipped_pairs_in_a_real_browser(page: str, home: Path) -> None:
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    assert browser_path, "this test needs a browser: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.goto(page)
        times = 1

        def settled() -> None:
            tab.locator(f"body[data-ready='{times}']").wait_for()

        def press(key: str) -> None:
            nonlocal times
            times += 1
            tab.keyboard.press(key)
            settled()

        def correct(text: str) -> None:
            press("e")
            tab.keyboard.press("Control+a")
            tab.keyboard.type(text)
            press("Control+Enter")

        settled()
        correct("better")
        press("k")
        correct("best")
        press("r")
        assert tab.text_content("#counts") == "28 pending, 1 accepted, 1 rejected"
        # Three levels: the rejection, then each correction with its text.
        press("u")
        assert tab.text_content("#counts") == "29 pending, 1 accepted, 0 rejected"
        press("u")
        assert tab.input_value("#response") == "better"
        press("u")
        assert tab.input_value("#response") == "answer 0"
        assert tab.text_content("#counts") == "30 pending, 0 accepted, 0 rejected"
        press("u")
        # Two skipped, the rest decided: the page says that they are left, and shows them again.
        press("j")
        press("a")
        press("j")
        for _ in range(27):
            press("a")
        assert tab.text_content("#counts") == "2 pending, 28 accepted, 0 rejected"
        assert tab.text_content("#end") == "You skipped 2 pairs."
        press("j")
        assert tab.text_content(".text") == "<b>question</b> 0"
        press("a")
        assert tab.text_content(".text") == "<b>question</b> 2"
        press("a")
        assert tab.text_content("#end") == "Nothing left to review here."
        assert not tab.is_visible("#again")
        browser.close()
    with Store.open() as store:
        assert [store.pair(n).review for n in range(1, 31)] == ["accepted"] * 30
        assert store.pair(1).corrected_from == ""
