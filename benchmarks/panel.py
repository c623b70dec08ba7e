"""The panel in a real Chromium: from key to picture, a fast drag, bytes on the wire, memory.

    python -m benchmarks.panel                     all networks, into benchmarks/results/panel.json
    python -m benchmarks.panel LeNet-5 --keys 20   one network

Times are from the key's event to the painted plot, kernel and browser on this machine: a plot is drawn
inside an animation frame, so the browser paints it before it takes up the next task.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

from benchmarks.timing import record
from scripts import chromium
from tests.browser import servers
from tests.browser.pages import LabPage

NETWORKS = ("LeNet-300-100", "LeNet-5", "VGG", "ResNet-20")
SIZE = {"width": 1280, "height": 1000}
# Time from a key to the task after the next drawn plot, and from the key to the exact result.
PROBE = """() => {
    const plot = document.querySelector('.lk-plot-tradeoff'), range = document.querySelector('.lk-range');
    window.pictures = []; window.exact = []; let key = null, rest = null;
    range.addEventListener('input', () => { key = rest = performance.now(); });
    new MutationObserver(() => { if (key === null) return; const from = key; key = null;
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => window.pictures.push(performance.now() - from); port2.postMessage(null); })
        .observe(plot, { attributeFilter: ['data-drawn'] });
    new MutationObserver(() => { if (rest !== null) { window.exact.push(performance.now() - rest); rest = null; } })
        .observe(document.querySelector('.lk-live'), { childList: true, characterData: true, subtree: true }); }"""
DRAWN = """() => { const all = [...document.querySelectorAll('.lk-plot')];
    return all.length > 2 && all.every(plot => plot.dataset.drawn); }"""


def summary(times: list[float]) -> dict:
    """Return the number, median and 95th percentile of some milliseconds."""
    ordered = sorted(times)
    if not ordered:
        return {"count": 0}
    high = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return {"count": len(ordered), "p50_ms": round(statistics.median(ordered)), "p95_ms": round(high)}


class Wire:
    """Counts what the server's websockets send to the page."""

    def __init__(self, tab):
        self.frames: list[int] = []
        tab.on("websocket", lambda socket: socket.on("framereceived", self._count))

    def _count(self, frame) -> None:
        self.frames.append(len(frame if isinstance(frame, (str, bytes)) else frame.payload))

    def since(self, begin: int) -> int:
        """Return the bytes of all frames from one on."""
        return sum(self.frames[begin:])


def measure(page: LabPage, lab: servers.Server, network: str, keys: int) -> dict:
    """Open one panel and press keys, drag, and count."""
    wire = Wire(page.tab)
    name = lab.write(f"{network}.ipynb", f"from labkit.live import explore\npanel = explore('{network}')\npanel")
    notebook = page.open_notebook(lab, name)
    begin = len(wire.frames)
    notebook.run()
    page.tab.wait_for_function(DRAWN)
    page.tab.wait_for_timeout(4000)
    found: dict = {"opening_bytes": wire.since(begin)}
    page.tab.evaluate(PROBE)
    knob = page.tab.locator(".lk-range")
    for label, gap in (("key_to_picture_quick", 200), ("key_to_picture_at_rest", 2000)):
        page.tab.evaluate("() => { window.pictures = []; window.exact = []; }")
        sizes = []
        for index in range(keys):
            before = len(wire.frames)
            knob.press("ArrowLeft" if index // 6 % 2 == 0 else "ArrowRight")
            page.tab.wait_for_timeout(gap)
            sizes.append(wire.since(before))
        page.tab.wait_for_timeout(3000)
        found[label] = summary(page.tab.evaluate("window.pictures"))
        found[f"bytes_for_a_key_{gap}_ms"] = round(statistics.median(sizes))
    found["key_to_exact_accuracy"] = summary(page.tab.evaluate("window.exact"))
    found["largest_frame_bytes"] = max(wire.frames[-20 * keys :])
    found["drag"] = drag(page)
    found["memory_mb"] = round(lab.memory() / 1e6)
    notebook.close()
    return found


def drag(page: LabPage) -> dict:
    """Move the knob from end to end and back within a second; how long does the panel still move afterwards?"""
    shown = "() => Number(document.querySelector('.lk-panel').dataset.shown)"
    box = page.tab.locator(".lk-range").bounding_box()
    y, left, width = box["y"] + box["height"] / 2, box["x"] + 11, box["width"] - 22
    page.tab.evaluate("() => { window.pictures = []; window.exact = []; }")
    before = page.tab.evaluate(shown)
    page.tab.mouse.move(left + width, y)
    page.tab.mouse.down()
    begin = time.perf_counter()
    for step in range(60):
        page.tab.mouse.move(left + width * abs(1 - step / 30), y)
    lasted = time.perf_counter() - begin
    page.tab.mouse.up()
    page.tab.wait_for_timeout(5000)
    after = page.tab.evaluate("() => window.pictures")
    return {
        "moves": 60,
        "drag_ms": round(1000 * lasted),
        "updates": page.tab.evaluate(shown) - before,
        "last_move_to_picture_ms": round(after[-1]) if after else None,
        "last_move_to_exact": summary(page.tab.evaluate("window.exact")),
    }


def main() -> None:
    """Run the benchmark and write its results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--keys", type=int, default=40)
    wanted = parser.parse_args()
    found: dict = {"torch": torch.__version__, "threads": torch.get_num_threads(), "load_before": os.getloadavg()}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), chromium_sandbox=False)
        (Path(folder) / "notebooks").mkdir()
        with servers.jupyterlab(Path(folder) / "notebooks", Path(folder)) as lab:
            for network in wanted.networks:
                page = LabPage(browser.new_context(viewport=SIZE))
                found[network] = measure(page, lab, network, wanted.keys)
                print(network, json.dumps(found[network], indent=1), flush=True)
        browser.close()
    found["load_after"] = os.getloadavg()
    record("panel", found)


if __name__ == "__main__":
    main()
