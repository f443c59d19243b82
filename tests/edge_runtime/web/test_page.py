"""The page in a real browser: images dropped, digits drawn, and where its requests go."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime import Classifier
from edge_runtime.bundle.manifest import BUILT_IN

from ...conftest import Run
from ...support.helpers import (
    EXECUTABLE,
    GOLDEN,
    VECTORS,
    copy_bundle,
    edit_manifest,
    environment,
    rows_of,
)
from ...support.page import NEEDS_LIBRARY, STROKES, VENDORED, Stroke
from ...support.small_bundles import images_bundle, strip_png

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
    pytest.mark.skipif(not VENDORED, reason=NEEDS_LIBRARY),
]

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
WAIT = 60_000  # ms
DESKTOP = {"viewport": {"width": 1100, "height": 860}}
PHONE = {
    **{"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2},
    **{"is_mobile": True, "has_touch": True},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=WAIT)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Start `edge-runtime demo` for a bundle; its address."""
    started = []
    home = tmp_path_factory.mktemp("home")

    def serve(*arguments: object) -> str:
        process = subprocess.Popen(
            [EXECUTABLE, "demo", "--port", "0", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(home),
            text=True,
        )
        started.append(process)
        assert process.stdout
        return process.stdout.readline().strip()

    yield serve
    for process in started:
        process.terminate()
        process.communicate()


@pytest.fixture(scope="module")
def address(serve: Callable[..., str]) -> str:
    return serve()


@pytest.fixture
def open_page(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Open the page; afterwards nothing may have gone elsewhere, nor been complained of."""
    contexts, seen = [], []

    def open_page(options: dict[str, Any] = DESKTOP, url: str = address, **more: Any) -> Any:
        context = browser.new_context(**options, **more)
        contexts.append(context)
        context.on("request", lambda request: request.url.startswith(url) or seen.append(request))
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on("console", lambda message: seen.append(message.text))  # CSP violations as well
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.on("requestfailed", lambda request: seen.append(request.url))
        page.goto(url)
        page.wait_for_selector("body.ready, #status.failed")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert seen == []


def drop(page: Any, *files: Path) -> None:
    """Drop files on the page as the desktop does."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": 600, "y": 300, "data": data}
        session.send("Input.dispatchDragEvent", event)


def probabilities(page: Any) -> list[float]:
    shares = "items => items.map(item => Number(item.style.getPropertyValue('--share')))"
    return [float(share) for share in page.eval_on_selector_all("#bars li", shares)]


def places(page: Any, stroke: Stroke) -> Stroke:
    """A stroke's points on the sheet, in pixels of the window."""
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]


def draw(page: Any, strokes: list[Stroke]) -> None:
    for stroke in strokes:
        (first, *others) = places(page, stroke)
        page.mouse.move(*first)
        page.mouse.down()
        for point in others:
            page.mouse.move(*point, steps=4)
        page.mouse.up()


def assert_reads(page: Any, label: str) -> None:
    playwright.expect(page.locator("#label")).to_have_text(label, timeout=WAIT)


def test_every_golden_image_that_is_dropped_is_read_as_in_python(open_page: Any) -> None:
    classifier = Classifier(min_score=Classifier().spec.min_score)
    page = open_page()
    for vector in VECTORS:
        path = GOLDEN / vector["image"]
        drop(page, path)
        shown = page.locator("#images li:first-child button[aria-pressed=true]")
        playwright.expect(shown.locator(".file")).to_have_text(path.name, timeout=WAIT)
        expected = classifier.predict(path)
        assert page.inner_text("#label") == expected.label, path.name
        if expected.index >= 0 or expected.top:
            tensor = classifier.tensor(str(path))
            (wanted,) = classifier.probabilities(tensor[None])
            assert np.abs(np.array(probabilities(page)) - wanted).max() < 1e-3, path.name
        else:
            assert not any(probabilities(page))


def test_the_page_itself_finds_that_all_golden_vectors_pass(open_page: Any) -> None:
    page = open_page()
    page.click("#check")
    page.wait_for_selector("#golden tbody tr")
    count = len(VECTORS)
    assert page.inner_text("#verdict").startswith(f"{count} of {count} golden vectors passed")


def test_ten_digits_drawn_by_mouse_are_read_as_drawn(open_page: Any) -> None:
    page = open_page()
    for digit in STROKES:
        draw(page, STROKES[digit])
        assert_reads(page, digit)
        page.click("#clear")
        assert_reads(page, "")


def test_digits_drawn_by_finger_on_a_phone_are_read(open_page: Any) -> None:
    page = open_page(PHONE)
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        event = {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}
        session.send("Input.dispatchTouchEvent", event)

    for digit in "47":
        for stroke in STROKES[digit]:
            first, *others = places(page, stroke)
            touch("touchStart", first)
            for point in others:
                touch("touchMove", point)
            touch("touchEnd")
        assert_reads(page, digit)
        assert page.evaluate("scrollY") == 0, "drawing scrolls the page"
        page.tap("#clear")
        assert_reads(page, "")


def test_everything_can_be_done_by_keyboard(open_page: Any) -> None:
    page = open_page()
    page.on("filechooser", lambda chooser: None)  # from now on the browser opens none of its own
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "pad"

    def press(key: str, times: int) -> None:
        for _ in range(times):
            page.keyboard.press(key)

    press("ArrowLeft", 8)  # a seven
    page.keyboard.press("Space")
    press("ArrowRight", 16)
    page.keyboard.down("ArrowLeft")  # both are held: the pen goes diagonally
    press("ArrowDown", 8)
    page.keyboard.up("ArrowLeft")
    press("ArrowDown", 12)
    page.keyboard.press("Space")
    assert_reads(page, "7")
    playwright.expect(page.locator("#spoken")).to_contain_text("Read as 7", timeout=WAIT)
    page.keyboard.press("Backspace")
    assert_reads(page, "")
    page.keyboard.press("Tab")
    focused = "[document.activeElement.id, document.activeElement.matches(':focus-visible')]"
    assert page.evaluate(focused) == ["choose", True]
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([str(GOLDEN / "5.jpg"), str(GOLDEN / "6.jpg")])
    assert_reads(page, "6")
    page.locator("#images li:last-child .open").focus()
    page.keyboard.press("Enter")
    assert_reads(page, "5")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("#images .file").all_inner_texts() == ["6.jpg"]
    assert page.evaluate("document.activeElement.ariaLabel") == "Remove 6.jpg"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "choose"


def test_undo_takes_back_a_stroke_and_a_clearing(open_page: Any) -> None:
    page = open_page()
    assert page.is_disabled("#undo")
    draw(page, STROKES["7"])
    assert_reads(page, "7")
    page.click("#clear")
    assert_reads(page, "")
    page.click("#undo")
    assert_reads(page, "7")
    page.click("#undo")
    assert_reads(page, "")
    assert page.is_disabled("#undo")
    assert page.is_disabled("#clear")


def test_what_cannot_be_read_is_said_in_its_place(open_page: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no image")
    (tmp_path / "cut.jpg").write_bytes((GOLDEN / "5.jpg").read_bytes()[:100])
    page = open_page()
    drop(page, tmp_path / "notes.png", tmp_path / "cut.jpg", GOLDEN / "3.png")
    assert_reads(page, "3")
    failed = page.locator("#images .failed .result")
    assert failed.count() == 2
    assert "no PNG, JPEG" in failed.nth(1).inner_text()
    assert "damaged" in failed.nth(0).inner_text()


def test_an_image_that_is_removed_takes_its_reading_along_and_leaves_a_drawing(
    open_page: Any,
) -> None:
    page = open_page()
    drop(page, GOLDEN / "5.jpg", GOLDEN / "6.jpg", GOLDEN / "7.bmp")
    assert_reads(page, "7")
    page.click("text=5.jpg")
    assert_reads(page, "5")
    page.click("[aria-label='Remove 7.bmp']")
    assert page.locator("#images .file").all_inner_texts() == ["6.jpg", "5.jpg"]
    assert_reads(page, "5")
    page.click("[aria-label='Remove 5.jpg']")
    assert_reads(page, "")
    assert page.is_hidden("#picture")
    draw(page, STROKES["3"])
    assert_reads(page, "3")
    page.click("#remove")
    assert page.is_hidden("#list")
    assert_reads(page, "3")


def test_saved_readings_are_the_rows_of_the_command_line(
    open_page: Any, run: Run, tmp_path: Path
) -> None:
    names = ("a.png", 'b, "b".jpg', "c.bmp", "empty.png", "notes.png", "cut.png", "d.tif")
    files = [tmp_path / name for name in names]
    for file, image in zip(files, ("c.png", "5.jpg", "7.bmp"), strict=False):
        shutil.copyfile(GOLDEN / image, file)
    shutil.copyfile(GOLDEN / "9.tif", files[6])
    files[3].touch()
    files[4].write_text("no image")
    files[5].write_bytes((GOLDEN / "2.png").read_bytes()[:100])
    score = str(Classifier().spec.min_score)
    wanted = rows_of(run("predict", *names, "--min-score", score, status=1).stdout)
    page = open_page()
    drop(page, *files)
    assert_reads(page, "9")
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "readings.csv"
    saved = rows_of(Path(download.value.path()).read_bytes())
    assert [list(row) for row in saved] == [list(row) for row in wanted]
    for row, other in zip(saved, wanted, strict=True):
        for column in ("path", "status", "label"):
            assert row[column] == other[column], row
        assert bool(row["error"]) == bool(other["error"])
        assert (row["score"] == other["score"] == "") or len(row["score"]) == len("0.999602")
        assert abs(float(row["score"] or 0) - float(other["score"] or 0)) < 1e-3


LONG = "Donaudampfschifffahrtsgesellschaftskapitän"
WORDS = ("stop", LONG, "priority road ahead, in four hundred metres", "日本語 ラベル")


@pytest.mark.parametrize("count", [3, 100])
def test_word_labels_fit_and_their_bars_stand_in_line(
    serve: Callable[..., str], open_page: Any, tmp_path: Path, count: int
) -> None:
    labels = [*WORDS, *(f"label {number}" for number in range(100))][:count]
    bundle = images_bundle(tmp_path / "a-model-with-a-rather-long-name", labels)
    for place, light in ((0, 255), (1, 255), (2, 10)):
        (tmp_path / f"{place} {LONG}.png").write_bytes(strip_png(labels, place, light))
    files = sorted(tmp_path.glob("*.png"))
    address = serve(bundle)
    for width in (320, 768, 1280):
        page = open_page({"viewport": {"width": width, "height": 700}}, address)
        page.set_input_files("#files", files)
        playwright.expect(page.locator("#score")).to_contain_text("perhaps priority road")
        boxes = """name => [...document.querySelectorAll(name)].map(part => {
            const box = part.getBoundingClientRect(); return [box.left, box.right]; })"""
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert len({tuple(box) for box in page.evaluate(boxes, "#bars .track")}) == 1
        page.click("#images li:nth-child(2) .open")
        assert_reads(page, LONG)
        first = "#bars li" if count == 3 else "#bars li:first-child"
        assert LONG in page.locator(first).all_inner_texts()[count == 3].split("\n")
        label, score, tensor, bars = (
            page.locator(name).bounding_box() for name in ("#label", "#score", "#tensor", "#bars")
        )
        assert label["x"] + label["width"] <= tensor["x"]
        assert label["y"] + label["height"] <= score["y"] + 1
        assert score["y"] + score["height"] <= bars["y"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_fits_its_screen_holds_still_and_can_be_read(
    open_page: Any, device: dict[str, Any], scheme: str
) -> None:
    page = open_page(device, color_scheme=scheme)
    layout = """['#pad', '#label', '#tensor', '#bars', '#clear', 'footer'].map(name => {
        const box = document.querySelector(name).getBoundingClientRect();
        return [box.x, box.y + scrollY, box.width, box.height]; })"""
    before = page.evaluate(layout)
    draw(page, STROKES["8"])
    assert_reads(page, "8")
    assert page.evaluate(layout) == before
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    luminance = """([name, property]) => {
        const colour = getComputedStyle(document.querySelector(name))[property];
        const [r, g, b] = colour.match(/[\\d.]+/g).map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; }"""
    ground = page.evaluate(luminance, ["body", "backgroundColor"])
    assert (page.evaluate(luminance, ["body", "color"]) < ground) == (scheme == "light")
    for name in ("#label", "#score", "#bars li", "figcaption", "#choose", "footer"):
        assert contrast(page.evaluate(luminance, [name, "color"]), ground) >= 4.5, name
    track = page.evaluate(luminance, ["#bars .track", "backgroundColor"])
    for name in ("#bars li:not(.best)", "#bars .best"):
        bar = page.evaluate(luminance, [f"{name} .track > span", "backgroundColor"])
        assert contrast(bar, track) >= 3, name


def contrast(one: float, other: float) -> float:
    """Of two luminances, by WCAG 2."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_a_bundle_of_another_kind_is_read_too_and_an_unknown_kind_is_said(
    serve: Callable[..., str], open_page: Any, tmp_path: Path
) -> None:
    bundle = copy_bundle(tmp_path / "stretched")
    edit_manifest(bundle, lambda data: data.update(preprocessing={"kind": "stretch"}))
    classifier = Classifier(bundle)
    page = open_page(url=serve(bundle))
    drop(page, GOLDEN / "0.png")
    page.wait_for_selector("#images button[aria-pressed=true]")
    (wanted,) = classifier.probabilities(classifier.tensor(str(GOLDEN / "0.png"))[None])
    assert np.abs(np.array(probabilities(page)) - wanted).max() < 1e-3


def test_a_kind_that_the_page_does_not_know_is_said_in_plain_words(
    browser: Any, address: str
) -> None:
    text = (BUILT_IN / "manifest.json").read_text("utf-8")
    page = browser.new_page()
    page.route(
        "**/manifest.json", lambda route: route.fulfill(body=text.replace('"ink"', '"spectrum"'))
    )
    page.goto(address)
    page.wait_for_selector("#status.failed")
    assert "prepared by “spectrum”" in page.inner_text("#status")
    page.close()
