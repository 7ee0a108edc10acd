"""A real browser for the tests marked `needs_browser`.

@pytest.mark.needs_browser
def test_x(browser: Browser) -> None:
    page = browser.new_page(http_credentials={"username": "u", "password": "p"})
    page.goto("http://127.0.0.1:5555/")
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.machine import required

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    program = required("needs_browser")
    from playwright.sync_api import sync_playwright

    # Chromium's own sandbox refuses root, and containers often forbid what it needs.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield started
        finally:
            started.close()
