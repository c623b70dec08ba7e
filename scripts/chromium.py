"""See to it that the browser tests find a Chromium: on PATH, else Debian's, else Playwright's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main() -> None:
    """Install a Chromium where there is none; where that fails, say so, and the tests skip."""
    if find():
        return
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Debian's Chromium for the browser tests.", flush=True)
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", *step], env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if find():
            return
    print("Installing Playwright's Chromium for the browser tests.", flush=True)
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], stdin=subprocess.DEVNULL)
    if not find():
        print("No Chromium could be installed, so the browser tests are skipped: install one yourself to run them.")


def find() -> str | None:
    """Return the path of a Chromium, or None where there is none.

    LABKIT_CHROMIUM names one of your own choice.
    """
    named = [os.environ["LABKIT_CHROMIUM"]] if os.environ.get("LABKIT_CHROMIUM") else NAMES
    return next((path for path in map(shutil.which, named) if path), None) or playwrights_own()


def playwrights_own() -> str | None:
    """Return the path of the Chromium that Playwright downloaded, if it did."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.exists(path) else None


if __name__ == "__main__":
    main()
