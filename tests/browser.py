"""Chromium for the tests of the web site, the slides and the live page, and a server on this machine."""

import contextlib
import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "docs" / "node_modules"  # from npm
AXE = LIBRARY / "axe-core" / "axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def require() -> None:
    """Skip a test where there is no browser; where every change is tested, that is a failure."""
    if not (CHROMIUM and AXE.exists()):
        message = "no Chromium, or nothing from npm: make test-long installs the second, and your system the first"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)


@contextlib.contextmanager
def chromium(*options: str) -> Iterator:
    """Start Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *options])
        yield browser
        browser.close()


@contextlib.contextmanager
def served(folder: Path, kind: type = http.server.SimpleHTTPRequestHandler, **named) -> Iterator[str]:
    """Serve a folder, and return its address."""
    quiet = type("Quiet", (kind,), {"log_message": lambda *_: None})
    handler = functools.partial(quiet, directory=folder, **named)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
