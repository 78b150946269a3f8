"""The report in a real browser, without a network: nothing wider than the window, and a slider that shows two pictures.

The browser is the one that FDTRAIN_TEST_BROWSER names, or Chromium or Chrome where it is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fdtrain.report.pages import build_page
from fdtrain.report.sources import read_sources
from tests.support.browsers import PATIENCE_MS, headless_browser

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

WIDTHS = (390, 1280)


@pytest.fixture(scope="module")
def page_file(reported: dict[str, Path], triplets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browsed") / "report.html"
    sources = read_sources([reported["comparison"], reported["run"]])
    path.write_text(build_page(sources, data=triplets, n_pictures=1), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with headless_browser() as found:
        yield found


@pytest.fixture(params=WIDTHS)
def opened(request: pytest.FixtureRequest, browser: playwright.Browser, page_file: Path) -> Iterator[playwright.Page]:
    """Return the page at a width, offline; afterwards see that it asked for nothing and complained of nothing."""
    context = browser.new_context(
        viewport={"width": request.param, "height": 844}, offline=True, has_touch=request.param == WIDTHS[0]
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    told: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda one: asked.append(one.url) if not one.url.startswith("data:") else None)
    page.goto(page_file.as_uri())
    yield page
    assert told == []
    assert asked == [page_file.as_uri()]
    context.close()


def test_nothing_is_wider_than_the_window(opened: playwright.Page) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth") == opened.viewport_size["width"]
    opened.emulate_media(media="print")
    assert opened.locator(".strip img").first.is_visible()
    assert not opened.locator(".stage").first.is_visible()


def test_tables_that_scroll_say_so_and_fill_the_page(opened: playwright.Page) -> None:
    boxes = opened.locator(".scroll")
    hidden = boxes.evaluate_all("all => all.map(one => one.scrollWidth - one.clientWidth)")
    faded = boxes.evaluate_all("all => all.map(one => getComputedStyle(one).maskImage !== 'none')")
    assert faded == [pixels > 1 for pixels in hidden]
    if opened.viewport_size["width"] == WIDTHS[0]:
        box = boxes.nth(faded.index(True))
        assert box.locator(".swipe").is_visible()
        box.evaluate("one => { one.scrollLeft = one.scrollWidth; }")
        opened.wait_for_function("one => getComputedStyle(one).maskImage === 'none'", arg=box.element_handle())
        first = box.locator("tbody th").first.bounding_box()
        assert first is not None
        assert 0 <= first["x"] < 30  # names of the rows stay
    else:
        assert not boxes.locator(".swipe").evaluate_all("all => all.some(one => one.offsetParent)")
        ends = opened.locator(".tables").first.evaluate(
            "one => [one, ...one.children].map(box => box.getBoundingClientRect().right)"
        )
        assert max(ends[1:]) == pytest.approx(ends[0], abs=2)


def test_every_small_picture_is_in_sight(opened: playwright.Page) -> None:
    strips = opened.locator(".strip").evaluate_all("all => all.map(one => one.scrollWidth - one.clientWidth)")
    assert strips
    assert max(strips) <= 1


def test_the_slider_moves_by_keys_and_by_pointer(opened: playwright.Page) -> None:
    exhibit = opened.locator(".exhibit").first
    stage, slider = exhibit.locator(".stage"), exhibit.locator("input[type=range]")
    stage.scroll_into_view_if_needed()
    first = stage.screenshot()
    slider.focus()
    for _ in range(30):
        opened.keyboard.press("ArrowLeft")
    assert slider.input_value() == "20"
    assert "occluded, then tiny" in str(slider.get_attribute("aria-valuetext"))
    by_keys = stage.screenshot()
    assert by_keys != first

    box = stage.bounding_box()
    assert box is not None
    opened.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    opened.mouse.down()
    opened.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"], steps=3)
    opened.mouse.up()
    assert 88 <= int(slider.input_value()) <= 92
    by_pointer = stage.screenshot()
    assert by_pointer not in (first, by_keys)


def test_both_ends_are_the_pictures_themselves(opened: playwright.Page) -> None:
    exhibit = opened.locator(".exhibit").first
    slider = exhibit.locator("input[type=range]")
    sources = {
        role: exhibit.locator(f"[data-role={role}] img").last.get_attribute("src") for role in ("occluded", "truth")
    }
    left, right = exhibit.locator(".stage img.left"), exhibit.locator(".stage img").first
    assert left.get_attribute("src") == sources["occluded"]
    slider.focus()
    opened.keyboard.press("Home")
    assert left.evaluate("one => getComputedStyle(one).clipPath").startswith("inset(0px 100%")
    opened.keyboard.press("End")
    assert left.evaluate("one => getComputedStyle(one).clipPath") in ("inset(0px)", "inset(0px 0% 0px 0px)")

    exhibit.get_by_role("button", name="restored | clean").click()
    assert right.get_attribute("src") == sources["truth"]
    assert left.get_attribute("src") not in sources.values()


def test_a_small_picture_and_the_list_choose_the_method(opened: playwright.Page) -> None:
    gallery = opened.locator(".gallery").first
    shown = gallery.locator(".exhibit").first.locator(".stage img").first
    before = shown.get_attribute("src")
    telea = gallery.locator(".exhibit").first.locator("[data-name=telea] button")
    telea.focus()
    opened.keyboard.press("Enter")
    assert telea.get_attribute("aria-pressed") == "true"
    assert shown.get_attribute("src") == telea.locator("img").get_attribute("src") != before
    gallery.locator("select").select_option("tiny")
    assert shown.get_attribute("src") == before
    pressed = gallery.locator("[data-name=tiny] button[aria-pressed=true]")
    assert pressed.count() == gallery.locator(".exhibit").count()


def test_without_a_script_every_picture_stands_there(browser: playwright.Browser, page_file: Path) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator(".stage").count() == 0
    pictures = page.locator(".strip img")
    assert pictures.count() > 8
    assert all(pictures.nth(place).is_visible() for place in range(pictures.count()))
    boxes = [pictures.nth(place).bounding_box() for place in range(5)]
    assert all(box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
    context.close()
