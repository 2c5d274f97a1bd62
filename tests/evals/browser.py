"""A real headless Chromium that opens a file and tells all that went wrong and all that it asked for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip


@dataclass
class Opened:
    """A page in the browser.

    Attributes:
        page: the page, as playwright drives it.
        requests: addresses asked for, other than data and blobs, which are inside the file.
        complaints: console errors and warnings, and exceptions of scripts.
    """

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def chromium_path() -> str:
    """Where Chromium is; the set-up step installs Debian's."""
    for name in CHROMIUM_NAMES:
        if found := shutil.which(name):
            return found
    raise FileNotFoundError("no Chromium: apt-get install chromium, or any package of it")


@contextmanager
def started_chromium() -> Iterator[Any]:
    """The browser, with a new empty profile, ended afterwards with all its processes."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Any, path: Path, **context: Any) -> Iterator[Opened]:
    """A file, opened in a window of its own; ``context`` is playwright's: viewport, colour scheme …"""
    window = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
    try:
        found = Opened(window.new_page())
        found.page.on("request", lambda request: _note_request(found, request.url))
        found.page.on("console", lambda message: _note_message(found, message))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.set_default_timeout(15_000)
        found.page.goto(path.resolve().as_uri())
        yield found
    finally:
        window.close()


def _note_request(found: Opened, url: str) -> None:
    if not url.startswith(("data:", "blob:")):
        found.requests.append(url)


def _note_message(found: Opened, message: Any) -> None:
    if message.type in ("error", "warning"):
        found.complaints.append(message.text)
