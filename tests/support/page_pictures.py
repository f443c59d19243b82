"""Make the pictures of the page that stand in the documentation.

    make page && .venv/bin/python -m tests.support.page_pictures [docs]

Drops some of the golden images on the page and draws a digit, on a desktop and on a phone, light
and dark. Needs Chromium and Playwright.
"""

from __future__ import annotations

import io
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from edge_runtime.web.server import PageServer, page_files

from ..edge_runtime.web.test_page import DESKTOP, FLAGS, PHONE, assert_reads, draw
from .helpers import GOLDEN
from .page import STROKES, Stroke

IMAGES = ("c.png", "b.png", "a.webp", "9.tif", "6.jpg", "2.png")
DRAWN = {"light": "3", "dark": "8"}


def curved(stroke: Stroke) -> Stroke:
    """The same with points between the points, as a hand would move."""
    places = np.array([stroke[0], *stroke, stroke[-1]])
    between = np.linspace(0, 1, 6)[:-1, None]
    points = [stroke[0]]
    for before, start, end, after in zip(places, places[1:], places[2:], places[3:], strict=False):
        bend = (2 * before - 5 * start + 4 * end - after) * between**2
        bend += (3 * start - before - 3 * end + after) * between**3
        points += map(tuple, start + ((end - before) * between + bend) / 2)
    return [*points[1:], stroke[-1]]


def main() -> None:
    folder = Path(sys.argv[1] if sys.argv[1:] else "docs")
    with PageServer(page_files(None), 0) as server, sync_playwright() as play:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name, device in (("desktop", DESKTOP), ("phone", PHONE)):
            for scheme, digit in DRAWN.items():
                page = browser.new_page(**device, color_scheme=scheme)
                page.goto(server.address)
                page.wait_for_selector("body.ready")
                if device is DESKTOP:
                    page.set_input_files("#files", [GOLDEN / image for image in IMAGES])
                    page.wait_for_selector(f"#images li:nth-child({len(IMAGES)})")
                    assert_reads(page, "2")
                draw(page, [curved(stroke) for stroke in STROKES[digit]])
                assert_reads(page, digit)
                page.mouse.move(0, 0)
                page.wait_for_timeout(500)  # until the bars have grown
                shown = Image.open(io.BytesIO(page.screenshot(full_page=device is DESKTOP)))
                few = shown.convert("RGB").quantize(64, dither=Image.Dither.NONE)
                few.save(folder / f"page-{name}-{scheme}.png", optimize=True)
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
